// Hex text to bytes and back for the wire tests: blanks are free, '|' too, for the eye.
#pragma once
#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "rr/base/bytes.hpp"

namespace helio::wire::test {

using Octets = std::vector<std::uint8_t>;

inline Octets hex(std::string_view text) {
  Octets out;
  int high = -1;
  for (char c : text) {
    if (c == ' ' || c == '|') continue;
    int digit = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
    if (digit < 0) ADD_FAILURE() << "not hex: " << text;
    if (high < 0) {
      high = digit;
    } else {
      out.push_back(static_cast<std::uint8_t>(high << 4 | digit));
      high = -1;
    }
  }
  if (high >= 0) ADD_FAILURE() << "half an octet: " << text;
  return out;
}

inline std::string to_hex(Bytes bytes) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string out;
  for (std::uint8_t b : bytes) {
    out += kDigits[b >> 4];
    out += kDigits[b & 15];
  }
  return out;
}

inline Octets operator+(Octets a, const Octets& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

inline std::string header_hex(unsigned length, unsigned type) {
  std::string out(32, 'f');
  return out + to_hex(Octets{static_cast<std::uint8_t>(length >> 8), static_cast<std::uint8_t>(length), static_cast<std::uint8_t>(type)});
}

}  // namespace helio::wire::test
