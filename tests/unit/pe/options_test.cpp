// The scenario files and the built-in shapes must say the same; flags override both.
#include "bench/pe/lib/options.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

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

TEST(Options, FlagsOverrideTheShapeWhereverItStands) {
  EXPECT_EQ(parse({"--pes", "7", "--shape", "S2"}).plan.pes, 7u);
  EXPECT_EQ(parse({"--shape=S2", "--rtc", "off"}).plan.rtc, RtcMode::off);
  EXPECT_EQ(parse({"--shape", "S2", "--pes", "7", "--pes", "8"}).plan.pes, 8u);
}

TEST(Options, TargetAndAddressesAreParsed) {
  Options o =
      parse({"--target", "127.0.0.9:1795", "--base-address", "127.1.2.3", "--next-hop-base", "10.9.0.1"});
  EXPECT_EQ(o.target_address, 0x7f000009u);
  EXPECT_EQ(o.target_port, 1795);
  EXPECT_EQ(o.plan.base_address, 0x7f010203u);
  EXPECT_EQ(o.plan.next_hop_base, 0x0a090001u);
}

}  // namespace
}  // namespace helio::pe
