// What the fuzz targets share: the entry point's declaration and taking options off the front of an input.
// A target aborts (HELIO_CHECK) when a property does not hold; the sanitizers do the rest.
#pragma once
#include <cstddef>
#include <cstdint>
#include <vector>

#include "rr/base/bytes.hpp"
#include "rr/base/check.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace helio::fuzz {

// The first octet of an input holds option bits, the rest is the message.
struct Input {
  std::uint8_t options = 0;
  Bytes rest;
  Input(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return;
    options = data[0];
    rest = Bytes(data + 1, size - 1);
  }
  bool option(unsigned bit) const { return options >> bit & 1; }
};

inline bool same(Bytes a, Bytes b) { return a.size() == b.size() && (a.empty() || std::memcmp(a.data(), b.data(), a.size()) == 0); }
inline bool inside(Bytes part, Bytes whole) {
  return part.empty() || (part.data() >= whole.data() && part.data() + part.size() <= whole.data() + whole.size());
}

}  // namespace helio::fuzz
