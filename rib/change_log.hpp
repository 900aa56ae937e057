// ChangeLog: the best-path changes of one turn, as NLRI bytes in runs of equal attributes, waiting to be packed.
// A prefix is in the log at most once per turn as announcement (the RIB seals the turn when it changes again).
#pragma once
#include <sys/mman.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <new>
#include <vector>

#include "rib/path.hpp"
#include "rib/provenance.hpp"
#include "rr/base/bytes.hpp"

namespace helio::rib {

// A byte buffer with slack for 32-octet copies. Small ones are allocated; beyond kMapped they are mapped with room to
// spare, so that growing does not copy megabytes in the middle of an insert: pages come as they are touched.
class NlriBuffer {
 public:
  static constexpr std::size_t kSlack = 64;
  NlriBuffer() = default;
  ~NlriBuffer() { drop(); }
  NlriBuffer(const NlriBuffer&) = delete;
  NlriBuffer& operator=(const NlriBuffer&) = delete;

  std::uint8_t* reserve(std::size_t n) {
    if (size_ + n + kSlack > capacity_) grow(n);
    return data_ + size_;
  }
  void advance(std::size_t n) { size_ += n; }
  const std::uint8_t* data() const { return data_; }
  std::size_t size() const { return size_; }
  void clear() {
    if (capacity_ > kRoom) drop();
    else if (size_ > kKeep) madvise(data_ + kKeep, capacity_ - kKeep, MADV_DONTNEED);
    size_ = 0;
  }

 private:
  static constexpr std::size_t kMapped = std::size_t{256} << 10;
  static constexpr std::size_t kRoom = std::size_t{16} << 20;
  static constexpr std::size_t kKeep = std::size_t{4} << 20;

  void grow(std::size_t n) {
    std::size_t wanted = std::max(capacity_ * 2, size_ + n + kSlack + 4096);
    std::size_t capacity = wanted <= kMapped ? wanted : std::max(kRoom, (wanted + 4095) & ~std::size_t{4095});
    void* bigger = capacity <= kMapped ? std::malloc(capacity)
                                       : mmap(nullptr, capacity, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (bigger == nullptr || bigger == MAP_FAILED) throw std::bad_alloc();
    if (size_ != 0) std::memcpy(bigger, data_, size_);
    std::size_t size = size_;
    drop();
    data_ = static_cast<std::uint8_t*>(bigger);
    size_ = size;
    capacity_ = capacity;
  }
  void drop() {
    if (capacity_ > kMapped) munmap(data_, capacity_);
    else std::free(data_);
    data_ = nullptr;
    size_ = capacity_ = 0;
  }
  std::uint8_t* data_ = nullptr;
  std::size_t size_ = 0, capacity_ = 0;
};

struct AnnounceRun {
  AttributeId attributes;  // one reference is held until the log is cleared
  std::uint32_t begin, end;
  RtSetId rt_set = kNoId;  // of the attribute set, for sorting; filled in by whoever takes the reference
  ProvenanceId provenance = kNoId;
  std::uint16_t exports = 0;  // 0: for all; else only for classes with these export policies, a bit each
  std::uint32_t count = 0;    // prefixes
};
struct WithdrawRun {
  ProvenanceId before, after;  // after: kNoId when the prefix is gone; one reference on each is held
  std::uint32_t begin, end;
  RtSetId rt_set = kNoId;      // of `before`
  std::uint32_t count = 0;     // prefixes
};

// For the journal: an announcement of a prefix that was there before, or has several paths.
struct ChangeNote {
  std::uint32_t offset;        // of the announcement
  std::uint32_t previous;      // peer of the best path before; kNoId: there was none
  std::uint16_t paths;
  std::uint8_t second_lost_at; // DecisionStep
  bool previous_remains;       // that peer still has a path
};

class ChangeLog {
 public:
  // Room for n octets of NLRI of an announcement with these attributes; new_run tells that a run began (the caller
  // takes the reference). Write, then call announced(n).
  std::uint8_t* announce(AttributeId attributes, std::size_t n, bool& new_run, std::uint16_t exports = 0) {
    new_run = announcements_.empty() || announcements_.back().attributes != attributes || announcements_.back().exports != exports;
    auto at = static_cast<std::uint32_t>(announced_.size());
    if (new_run) announcements_.push_back({attributes, at, at, kNoId, kNoId, exports});
    return announced_.reserve(n);
  }
  void announced(std::size_t n) {
    announced_.advance(n);
    announcements_.back().end += static_cast<std::uint32_t>(n);
    ++announcements_.back().count;
  }
  std::uint8_t* withdraw(ProvenanceId before, ProvenanceId after, std::size_t n, bool& new_run) {
    new_run = withdrawals_.empty() || withdrawals_.back().before != before || withdrawals_.back().after != after;
    auto at = static_cast<std::uint32_t>(withdrawn_.size());
    if (new_run) withdrawals_.push_back({before, after, at, at});
    return withdrawn_.reserve(n);
  }
  void withdrawn(std::size_t n) {
    withdrawn_.advance(n);
    withdrawals_.back().end += static_cast<std::uint32_t>(n);
    ++withdrawals_.back().count;
  }
  // The next announcement is of such a prefix. Only where somebody reads them.
  void keep_notes() { keeps_notes_ = true; }
  bool keeps_notes() const { return keeps_notes_; }
  void note(PeerId previous, std::size_t paths, std::uint8_t second_lost_at, bool previous_remains) {
    notes_.push_back({static_cast<std::uint32_t>(announced_.size()), previous.value, static_cast<std::uint16_t>(std::min<std::size_t>(paths, 65535)), second_lost_at, previous_remains});
  }
  const std::vector<ChangeNote>& notes() const { return notes_; }

  bool empty() const { return announcements_.empty() && withdrawals_.empty(); }
  std::size_t bytes() const { return announced_.size() + withdrawn_.size(); }
  std::vector<AnnounceRun>& announcements() { return announcements_; }
  std::vector<WithdrawRun>& withdrawals() { return withdrawals_; }
  const std::uint8_t* announced_nlri() const { return announced_.data(); }
  const std::uint8_t* withdrawn_nlri() const { return withdrawn_.data(); }
  void clear() {
    announcements_.clear();
    withdrawals_.clear();
    notes_.clear();
    announced_.clear();
    withdrawn_.clear();
  }

 private:
  std::vector<AnnounceRun> announcements_;
  std::vector<WithdrawRun> withdrawals_;
  std::vector<ChangeNote> notes_;  // in the order of the announcements
  bool keeps_notes_ = false;
  NlriBuffer announced_, withdrawn_;
};

}  // namespace helio::rib
