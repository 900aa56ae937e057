// Any command line of helioctl, one word a line: it is understood, or refused with a reason.
#include <string>
#include <vector>

#include "rr/ctl/lib/command.hpp"
#include "tests/fuzz/fuzz_input.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace helio;
  std::vector<std::string> words = {"helioctl"};
  std::string word;
  for (std::size_t i = 0; i < size && words.size() < 40; ++i) {
    if (data[i] != '\n' && data[i] != 0) {
      word.push_back(static_cast<char>(data[i]));
      continue;
    }
    words.push_back(std::move(word));
    word.clear();
  }
  if (!word.empty()) words.push_back(word);
  std::vector<const char*> argv;
  for (const std::string& w : words) argv.push_back(w.c_str());
  ctl::ParseResult result = ctl::parse_command(static_cast<int>(argv.size()), argv.data(), "/run/heliograph/control.sock");
  HELIO_CHECK(result.exit_code == 0 || result.exit_code == 2, "0 or a mistake");
  HELIO_CHECK(result.run || !result.text.empty(), "refused with a reason, or help");
  HELIO_CHECK(!result.run || result.exit_code == 0, "what runs was understood");
  return 0;
}
