// heliograph.toml(5) says what the schema says, key by key; scdoc takes every page.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "rr/config/schema.hpp"

namespace helio::config {
namespace {

constexpr const char* kPage = HELIO_SOURCE_DIR "/deploy/man/heliograph.toml.5.scd";

std::string read(const std::string& path) {
  std::ifstream in(path);
  std::ostringstream out;
  out << in.rdbuf();
  return out.str();
}

std::string replaced(std::string text, const std::string& what, const std::string& by) {
  for (std::size_t at = 0; (at = text.find(what, at)) != std::string::npos; at += by.size()) text.replace(at, what.size(), by);
  return text;
}
// What scdoc would take for formatting.
std::string escaped(std::string_view text) { return replaced(replaced(std::string(text), "*", "\\*"), "_", "\\_"); }

std::string values(const Key& key) {
  if (!key.choices.empty()) return "one of " + replaced(std::string(key.choices), "|", ", ");
  switch (key.kind) {
    case Kind::boolean: return "true or false";
    case Kind::count: return fmt::format("{} to {}, or \"all\"", key.min, key.max);
    case Kind::integer:
    case Kind::fraction: return fmt::format("{} to {}", key.min, key.max);
    case Kind::text: return fmt::format("text of at most {} characters", key.max);
    case Kind::name: return "a name";
    case Kind::address: return "an IPv4 or IPv6 address";
    case Kind::prefix: return "a prefix";
    case Kind::router_id: return "an identifier written like an IPv4 address";
    case Kind::family: return "a family";
    case Kind::duration: return "a time such as \"20ms\"";
    case Kind::size: return "a size such as \"64MiB\"";
    case Kind::path: return "a file name";
    case Kind::mode: return "permissions such as \"0660\"";
    case Kind::names: return "an array of names";
    case Kind::families: return "an array of families";
    case Kind::texts: return "an array of strings";
    default: return "";
  }
}

const Unsupported* refusal(std::string_view path) {
  for (const Unsupported& row : unsupported())
    if (path == row.path || (path.starts_with(row.path) && (path[row.path.size()] == '.' || path[row.path.size()] == '[')))
      return &row;
  return nullptr;
}

std::string reference() {
  static constexpr const char* kCosts[] = {"applied", "session reset", "restart"};
  std::string out, section;
  for (const Key& key : keys()) {
    std::string head(key.path.substr(0, key.path.find_first_of(".[")));
    if (head != section) out += fmt::format("## {}\n\n", head);
    section = head;
    out += fmt::format("*{}*\n\t{}\n\tValues: {}.", escaped(key.path), escaped(key.help), escaped(values(key)));
    if (key.default_text == "required") {
      out += " Required.";
    } else if (!key.default_text.empty()) {
      out += fmt::format(" Default: {}.", escaped(key.default_text));
    }
    out += fmt::format(" Change: {}.", kCosts[static_cast<std::size_t>(key.reload)]);
    if (const Unsupported* row = refusal(key.path)) {
      out += " Not supported by this version";
      if (!row->harmless.empty()) out += ", but for the value " + replaced(escaped(row->harmless), "|", " or ");
      out += ".";
    }
    out += "\n\n";
  }
  return out;
}

TEST(SchemaManPage, ListsEveryKey) {
  std::string page = read(kPage);
  std::size_t begin = page.find("schema.cpp.\n"), end = page.find("; END OF KEYS");
  ASSERT_NE(begin, std::string::npos);
  ASSERT_NE(end, std::string::npos);
  begin += std::string("schema.cpp.\n").size();
  std::string expected = page.substr(0, begin) + "\n" + reference() + page.substr(end);
  if (std::getenv("HELIO_UPDATE_GOLDEN")) std::ofstream(kPage) << expected;
  EXPECT_EQ(read(kPage), expected) << "run with HELIO_UPDATE_GOLDEN=1";
}

TEST(ManPages, AreTakenByScdoc) {
  if (std::system("command -v scdoc >/dev/null 2>&1") != 0) GTEST_SKIP() << "scdoc is not installed";
  std::size_t count = 0;
  for (const auto& entry : std::filesystem::directory_iterator(HELIO_SOURCE_DIR "/deploy/man")) {
    if (entry.path().extension() != ".scd") continue;
    ++count;
    EXPECT_EQ(std::system(("scdoc < " + entry.path().string() + " > /dev/null").c_str()), 0) << entry.path();
  }
  EXPECT_GE(count, 3u);
}

}  // namespace
}  // namespace helio::config
