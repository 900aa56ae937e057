// Packer: turns a change log into one batch of UPDATE bytes for an encoding class.
//
// Runs are ordered by RT set, provenance and attribute set, so that what a filtered peer gets is contiguous and a flood
// packs full messages. MP_REACH stands first (RFC 7606 §5.1). Withdrawals come before announcements (wire 2.20).
#pragma once
#include <vector>

#include "rib/attribute_store.hpp"
#include "rib/batch.hpp"
#include "rib/change_log.hpp"
#include "rib/encoding_class.hpp"

namespace helio::rib {

class Packer {
 public:
  explicit Packer(const AttributeStore& attributes) : attributes_(attributes) {}

  // Sorts the runs of the log; once per log, before pack for each class.
  void sort(ChangeLog& log);
  // The batch of the whole log. Messages stay within 4096 octets, unless one route's attributes need more (RFC 8654:
  // its provenance is scoped extended_size). The caller owns the reference; the log is not cleared.
  BatchRef pack(ChangeLog& log, wire::Family family, const EncodingClass& encoding, const std::shared_ptr<RetainedBytes>& retained,
                ExportTransform* transform = nullptr);

 private:
  struct Outbound {
    Bytes attributes, next_hop;
  };
  // What the class gets of a run; false: nothing.
  bool outbound(const AnnounceRun& run, wire::Family family, const EncodingClass& encoding, Outbound& out);
  std::size_t upper_bound(ChangeLog& log, wire::Family family, const EncodingClass& encoding);
  void pack_announcements(ChangeLog& log, Batch& batch, const EncodingClass& encoding, std::uint8_t*& at);
  void pack_withdrawals(ChangeLog& log, Batch& batch, const EncodingClass& encoding, bool transitions, std::uint8_t*& at);

  const AttributeStore& attributes_;
  ExportTransform* transform_ = nullptr;  // during pack
  std::vector<std::uint8_t> scratch_, next_hop_scratch_;
};

}  // namespace helio::rib
