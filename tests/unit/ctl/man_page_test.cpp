// helioctl(1) names every verb and option of the command line, and no option that is not there.
#include <gmock/gmock.h>

#include <fstream>
#include <regex>
#include <set>
#include <sstream>

#include "rr/ctl/lib/command.hpp"

namespace helio::ctl {
namespace {

TEST(ManPage, HoldsTheCommandLine) {
  std::ifstream in(HELIO_SOURCE_DIR "/deploy/man/helioctl.1.scd");
  std::ostringstream text;
  text << in.rdbuf();
  std::string page = text.str();
  std::set<std::string> options = {"--help", "--version"};
  for (const std::string& word : command_words()) {
    std::size_t dashes = word.find("--");
    if (dashes == std::string::npos) {
      EXPECT_THAT(page, testing::HasSubstr("*" + word + "*")) << word;
    } else {
      options.insert(word.substr(dashes));
      EXPECT_THAT(page, testing::HasSubstr(word.substr(dashes))) << word;
    }
  }
  // Options of other programs stand in the examples.
  page = page.substr(0, page.find("# EXAMPLES"));
  static const std::regex kOption("--[a-z][a-z-]*");
  for (std::sregex_iterator at(page.begin(), page.end(), kOption), end; at != end; ++at)
    EXPECT_TRUE(options.contains(at->str())) << at->str();
}

}  // namespace
}  // namespace helio::ctl
