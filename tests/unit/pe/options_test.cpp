// The scenario files and the built-in shapes must say the same; flags override both.
#include "bench/pe/lib/options.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>

namespace helio::pe {
namespace {

Options parse(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), "helio-pe");
  std::vector<char*> argv;
  for (std::string& a : arguments) argv.push_back(a.data());
  argv.push_back(nullptr);
  return parse_options(static_cast<int>(arguments.size()), argv.data());
}

std::string text(const Options& o) {
  const PlanOptions& p = o.plan;
  return fmt::format("{} {} {} {} {} {} {} {} {} {} {} {} {} | {} {} {} {} {}", p.pes, p.announcers, p.vrfs,
                     p.vpns, p.vrfs_per_pe, p.routes_per_vrf, p.ipv6_share, p.attrs_per_vrf, p.multihoming,
                     static_cast<int>(p.rtc), static_cast<int>(p.rd_mode), static_cast<int>(p.prefix_kind),
                     static_cast<int>(p.rt_plan), scenario_name(o.scenario), o.window, o.churn_pack,
                     o.changes, o.slow_share);
}

TEST(Options, EveryShapeHasAFileThatSaysTheSame) {
  for (const std::string& name : shape_names()) {
    Options file = parse({"--file", fmt::format("{}/bench/scenarios/{}.toml", HELIO_SOURCE_DIR, name)});
    Options shape = parse({"--shape", name});
    EXPECT_EQ(text(file), text(shape)) << name;
    EXPECT_EQ(shape.shape, name);
    EXPECT_NE(text(file), text(parse({}))) << name;
  }
}

TEST(Options, EveryScenarioFileIsAPlan) {
  std::size_t files = 0;
  for (const auto& entry :
       std::filesystem::directory_iterator(fmt::format("{}/bench/scenarios", HELIO_SOURCE_DIR))) {
    if (entry.path().extension() != ".toml") continue;
    ++files;
    EXPECT_NO_THROW(Plan(parse({"--file", entry.path().string()}).plan)) << entry.path();
  }
  EXPECT_GE(files, shape_names().size());
}

TEST(Options, FlagsOverrideTheShapeWhereverItStands) {
  EXPECT_EQ(parse({"--pes", "7", "--shape", "S2"}).plan.pes, 7u);
  EXPECT_EQ(parse({"--shape=S2", "--rtc", "off"}).plan.rtc, RtcMode::off);
  EXPECT_EQ(parse({"--shape", "S2", "--pes", "7", "--pes", "8"}).plan.pes, 8u);
}

TEST(Options, AnUnknownKeyInAScenarioFileIsAnError) {
  std::string file = testing::TempDir() + "helio-pe-unknown.toml";
  std::ofstream(file) << "pes = 3\nscenarioo = \"churn\"\n";
  EXPECT_EXIT(parse({"--file", file}), testing::ExitedWithCode(2), "scenarioo");
  EXPECT_EXIT(parse({"--mrt", "/nonexistent"}), testing::ExitedWithCode(2), "cannot read");
}

TEST(Options, TargetAndAddressesAreParsed) {
  Options o =
      parse({"--target", "127.0.0.9:1795", "--base-address", "127.1.2.3", "--next-hop-base", "10.9.0.1"});
  EXPECT_EQ(o.target_address, 0x7f000009u);
  EXPECT_EQ(o.target_port, 1795);
  EXPECT_EQ(o.plan.base_address, 0x7f010203u);
  EXPECT_EQ(o.plan.next_hop_base, 0x0a090001u);
}

// Every word that begins with "--", without what follows it.
std::set<std::string> option_words(const std::string& text) {
  std::set<std::string> words;
  for (std::size_t at = text.find("--"); at != std::string::npos; at = text.find("--", at)) {
    std::size_t stop = text.find_first_not_of("abcdefghijklmnopqrstuvwxyz-", at);
    std::string word = text.substr(at, stop - at);
    if (word.size() > 3) words.insert(word);
    at += word.size();
  }
  return words;
}

TEST(Options, TheManPageNamesExactlyTheOptions) {
  std::ifstream in(fmt::format("{}/deploy/man/helio-pe.1.scd", HELIO_SOURCE_DIR));
  std::string page((std::istreambuf_iterator<char>(in)), {});
  EXPECT_EQ(option_words(page), option_words(help_text()));
  EXPECT_GT(option_words(page).size(), 50u);
  for (const std::string& shape : shape_names()) EXPECT_NE(page.find(shape), std::string::npos) << shape;
}

TEST(Options, AddressesMayBeGiven) {
  Options o = parse({"--pes", "4", "--addresses", "10.9.0.7,10.1.0.1-10.1.0.3"});
  Plan plan(o.plan);
  EXPECT_EQ(plan.address(0), 0x0a010001u);
  EXPECT_EQ(plan.address(3), 0x0a090007u);
  EXPECT_EQ(plan.next_hop(3), 0x0a090007u);
  EXPECT_EQ(plan.pe_of(0x0a090007), 3u);
  EXPECT_EQ(plan.pe_of(0x0a010004), Plan::kNone);
  EXPECT_THROW(parse_addresses("10.0.0.1,10.0.0.1"), std::invalid_argument);
  EXPECT_THROW(parse_addresses("10.0.0.9-10.0.0.1"), std::invalid_argument);
  EXPECT_THROW(parse_addresses("2001:db8::1"), std::invalid_argument);
  o.plan.pes = 5;
  EXPECT_THROW(Plan{o.plan}, std::invalid_argument);
}

}  // namespace
}  // namespace helio::pe
