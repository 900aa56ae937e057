// Bounds-checked reading and appending of network-order bytes. All wire bytes of the slow paths go through
// these two; hot loops load with load_be after one length check of their own.
#pragma once
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>
#include <vector>

namespace helio {

using Bytes = std::span<const std::uint8_t>;

inline std::uint16_t load_be16(const std::uint8_t* p) { return static_cast<std::uint16_t>(p[0] << 8 | p[1]); }
inline std::uint32_t load_be24(const std::uint8_t* p) {
  return static_cast<std::uint32_t>(p[0]) << 16 | static_cast<std::uint32_t>(p[1]) << 8 | p[2];
}
inline std::uint32_t load_be32(const std::uint8_t* p) {
  std::uint32_t v;
  std::memcpy(&v, p, 4);
  return __builtin_bswap32(v);
}
inline std::uint64_t load_be64(const std::uint8_t* p) {
  std::uint64_t v;
  std::memcpy(&v, p, 8);
  return __builtin_bswap64(v);
}
inline void store_be16(std::uint8_t* p, std::uint16_t v) {
  p[0] = static_cast<std::uint8_t>(v >> 8);
  p[1] = static_cast<std::uint8_t>(v);
}
inline void store_be24(std::uint8_t* p, std::uint32_t v) {
  p[0] = static_cast<std::uint8_t>(v >> 16);
  p[1] = static_cast<std::uint8_t>(v >> 8);
  p[2] = static_cast<std::uint8_t>(v);
}
inline void store_be32(std::uint8_t* p, std::uint32_t v) {
  v = __builtin_bswap32(v);
  std::memcpy(p, &v, 4);
}
inline void store_be64(std::uint8_t* p, std::uint64_t v) {
  v = __builtin_bswap64(v);
  std::memcpy(p, &v, 8);
}

// Reads from the front of a span. A read beyond the end returns zero and makes ok() false for good:
// check ok() once after a group of reads.
class ByteReader {
 public:
  explicit ByteReader(Bytes bytes) : p_(bytes.data()), end_(bytes.data() + bytes.size()) {}

  bool ok() const { return ok_; }
  std::size_t remaining() const { return static_cast<std::size_t>(end_ - p_); }
  bool empty() const { return p_ == end_; }
  std::uint8_t u8() { return need(1) ? *p_++ : 0; }
  std::uint16_t u16() { return need(2) ? load_be16(advance(2)) : 0; }
  std::uint32_t u24() { return need(3) ? load_be24(advance(3)) : 0; }
  std::uint32_t u32() { return need(4) ? load_be32(advance(4)) : 0; }
  std::uint64_t u64() { return need(8) ? load_be64(advance(8)) : 0; }
  Bytes take(std::size_t n) { return need(n) ? Bytes(advance(n), n) : Bytes(); }
  Bytes rest() { return take(remaining()); }

 private:
  bool need(std::size_t n) {
    if (remaining() < n) ok_ = false;
    return ok_;
  }
  const std::uint8_t* advance(std::size_t n) {
    const std::uint8_t* at = p_;
    p_ += n;
    return at;
  }
  const std::uint8_t* p_;
  const std::uint8_t* end_;
  bool ok_ = true;
};

// Appends to a vector owned by the caller.
class ByteWriter {
 public:
  explicit ByteWriter(std::vector<std::uint8_t>& out) : out_(out) {}

  std::size_t size() const { return out_.size(); }
  void u8(std::uint8_t v) { out_.push_back(v); }
  void u16(std::uint16_t v) { store_be16(grow(2), v); }
  void u24(std::uint32_t v) { store_be24(grow(3), v); }
  void u32(std::uint32_t v) { store_be32(grow(4), v); }
  void u64(std::uint64_t v) { store_be64(grow(8), v); }
  void bytes(Bytes b) { out_.insert(out_.end(), b.begin(), b.end()); }
  void text(std::string_view s) { out_.insert(out_.end(), s.begin(), s.end()); }
  void fill(std::size_t n, std::uint8_t v) { out_.insert(out_.end(), n, v); }
  void patch_u8(std::size_t at, std::uint8_t v) { out_[at] = v; }
  void patch_u16(std::size_t at, std::uint16_t v) { store_be16(out_.data() + at, v); }

 private:
  std::uint8_t* grow(std::size_t n) {
    out_.resize(out_.size() + n);
    return out_.data() + out_.size() - n;
  }
  std::vector<std::uint8_t>& out_;
};

}  // namespace helio
