#include "rr/reflector/peer_output.hpp"

#include "rr/base/bytes.hpp"
#include "rr/base/check.hpp"

namespace helio::reflector {

std::size_t PeerOutput::gather(std::span<iovec> out, std::size_t max_bytes) const {
  std::size_t n = 0, total = 0;
  for (std::size_t i = head_; i < entries_.size() && n < out.size() && total < max_bytes; ++i) {
    const Entry& e = entries_[i];
    std::uint32_t from = e.from + (i == head_ ? offset_ : 0);
    std::size_t length = std::min<std::size_t>(e.to - from, max_bytes - total);
    out[n++] = {const_cast<std::uint8_t*>(e.batch->data() + from), length};
    total += length;
    if (i + 1 < entries_.size()) __builtin_prefetch(entries_[i + 1].batch->data() + entries_[i + 1].from);
  }
  return n;
}

PeerOutput::Written PeerOutput::consumed(std::size_t bytes) {
  Written written;
  HELIO_CHECK(bytes <= bytes_, "more sent than was queued");
  bytes_ -= bytes;
  bytes += offset_;
  while (head_ < entries_.size() && bytes >= entries_[head_].to - entries_[head_].from) {
    bytes -= entries_[head_].to - entries_[head_].from;
    const rib::Batch& batch = *entries_[head_].batch;
    if (written.read_at_us == 0) written = {batch.read_at_us, batch.encoded_at_us};
    entries_[head_].batch->drop_ref();
    ++head_;
  }
  offset_ = static_cast<std::uint32_t>(bytes);
  if (head_ == entries_.size()) {
    entries_.clear();
    if (entries_.capacity() > 256) entries_.shrink_to_fit();
    head_ = 0;
  } else if (head_ > 1024 && head_ * 2 > entries_.size()) {
    entries_.erase(entries_.begin(), entries_.begin() + static_cast<std::ptrdiff_t>(head_));
    head_ = 0;
  }
  return written;
}

void PeerOutput::clear() {
  for (std::size_t i = head_; i < entries_.size(); ++i) entries_[i].batch->drop_ref();
  entries_.clear();
  entries_.shrink_to_fit();
  head_ = 0;
  offset_ = 0;
  bytes_ = 0;
}

std::uint32_t PeerOutput::message_end(const Entry& e, std::uint32_t begun) {
  std::uint32_t at = e.from;
  while (at < e.from + begun) at += load_be16(e.batch->data() + at + 16);
  return at;
}

bool PeerOutput::at_message_boundary() const {
  return empty() || offset_ == 0 || message_end(entries_[head_], offset_) == entries_[head_].from + offset_;
}

Bytes PeerOutput::rest_of_message() const {
  if (empty() || offset_ == 0) return {};
  const Entry& e = entries_[head_];
  std::uint32_t end = message_end(e, offset_);
  return Bytes(e.batch->data() + e.from + offset_, end - e.from - offset_);
}

}  // namespace helio::reflector
