#include "rr/base/utf8.hpp"

#include <cstdint>

namespace helio {
namespace {

// Octets of the well-formed character at the front of `text`; 0 when there is none.
std::size_t character_length(std::string_view text) {
  auto octet = [&](std::size_t i) { return static_cast<std::uint8_t>(text[i]); };
  std::uint8_t first = octet(0);
  if (first < 0x80) return 1;
  std::size_t length = first >= 0xc2 && first <= 0xdf ? 2 : (first & 0xf0) == 0xe0 ? 3 : first >= 0xf0 && first <= 0xf4 ? 4 : 0;
  if (length == 0 || text.size() < length) return 0;
  for (std::size_t i = 1; i < length; ++i)
    if ((octet(i) & 0xc0) != 0x80) return 0;
  // Overlong forms, surrogates, beyond U+10FFFF.
  if ((first == 0xe0 && octet(1) < 0xa0) || (first == 0xed && octet(1) > 0x9f) || (first == 0xf0 && octet(1) < 0x90) ||
      (first == 0xf4 && octet(1) > 0x8f))
    return 0;
  return length;
}

template <class Accept>
std::string filtered(std::string_view text, Accept is_accepted) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    std::size_t length = character_length(text);
    if (length == 0) {
      out += "\xef\xbf\xbd";
      length = 1;
    } else if (is_accepted(text.substr(0, length))) {
      out += text.substr(0, length);
    } else {
      out += '?';
    }
    text.remove_prefix(length);
  }
  return out;
}

}  // namespace

std::string to_valid_utf8(std::string_view text) {
  return filtered(text, [](std::string_view) { return true; });
}

std::string to_printable(std::string_view text) {
  return filtered(text, [](std::string_view character) {
    auto first = static_cast<std::uint8_t>(character[0]);
    // C0, DEL and, as U+0080 to U+009F, C1.
    bool is_control = first < 0x20 || first == 0x7f || (first == 0xc2 && static_cast<std::uint8_t>(character[1]) < 0xa0);
    return !is_control;
  });
}

}  // namespace helio
