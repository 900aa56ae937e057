#include "rib/packer.hpp"

#include <algorithm>
#include <cstring>

#include "rr/base/check.hpp"
#include "rr/wire/evpn_nlri.hpp"
#include "rr/wire/message.hpp"
#include "rr/wire/update.hpp"

namespace helio::rib {
namespace {

constexpr std::size_t kUpdateHeader = wire::kHeaderSize + 4;  // withdrawn length, total attribute length
constexpr std::size_t kReachHeader = 4 + 5;                   // attribute header; AFI, SAFI, next hop length, reserved
constexpr std::size_t kUnreachHeader = 4 + 3;

// How entries of a batch are delimited: `id` octets of path id, then a length in bits, or a type and a length in octets.
struct EntryShape {
  std::size_t id = 0;
  bool is_typed = false;
};
EntryShape shape_of(wire::Family family, const EncodingClass& encoding) {
  return {encoding.selection_of(family).with_path_ids ? std::size_t{4} : 0, family == wire::Family::evpn};
}

std::size_t entry_octets(const std::uint8_t* entry, EntryShape shape) {
  return shape.is_typed ? 2u + entry[1] : shape.id + 1 + (entry[shape.id] + 7u) / 8;
}

// How many octets of whole entries from `p` fit into `room`.
std::size_t whole_entries(const std::uint8_t* p, const std::uint8_t* end, std::size_t room, EntryShape shape) {
  auto left = static_cast<std::size_t>(end - p);
  if (left <= room) return left;
  const std::uint8_t* at = p;
  for (std::size_t n; at < end && static_cast<std::size_t>(at - p) + (n = entry_octets(at, shape)) <= room;) at += n;
  return static_cast<std::size_t>(at - p);
}

std::uint8_t* put_header(std::uint8_t* at) {
  std::memset(at, 0xff, 16);
  at[18] = static_cast<std::uint8_t>(wire::MessageType::update);
  store_be16(at + 19, 0);
  return at + kUpdateHeader;
}
void close_message(std::uint8_t* message, std::uint8_t* end) {
  auto length = static_cast<std::size_t>(end - message);
  store_be16(message + 16, static_cast<std::uint16_t>(length));
  store_be16(message + 21, static_cast<std::uint16_t>(length - kUpdateHeader));
}

// Writes the entries of consecutive runs into messages: begin(at) writes what stands before the entries and returns
// where they go; finish(message, entries_end) what comes after and returns the end.
template <class Run, class Begin, class Finish>
std::uint8_t* fill_messages(std::uint8_t* at, const Run* run, const Run* last, const std::uint8_t* nlri, std::size_t room,
                            EntryShape shape, std::uint32_t& messages, Begin&& begin, Finish&& finish) {
  std::uint8_t* message = at;
  std::uint8_t* out = begin(at);
  std::uint8_t* start = out;
  for (; run != last; ++run) {
    const std::uint8_t* p = nlri + run->begin;
    const std::uint8_t* end = nlri + run->end;
    while (p != end) {
      std::size_t n = whole_entries(p, end, room - static_cast<std::size_t>(out - start), shape);
      if (n == 0 && out == start) n = entry_octets(p, shape);  // one entry alone: the size was judged when it was interned
      std::memcpy(out, p, n);
      out += n;
      p += n;
      if (p != end) {
        message = finish(message, out);
        ++messages;
        start = out = begin(message);
      }
    }
  }
  ++messages;
  return finish(message, out);
}

}  // namespace

void Packer::sort(ChangeLog& log) {
  auto announce_key = [](const AnnounceRun& r) { return std::tuple(r.rt_set, r.provenance, r.attributes, r.exports, r.begin); };
  auto withdraw_key = [](const WithdrawRun& r) { return std::tuple(r.after != kNoId, r.rt_set, r.before, r.after, r.begin); };
  auto less = [](auto& key) { return [&](const auto& a, const auto& b) { return key(a) < key(b); }; };
  if (log.announcements().size() > 1) std::sort(log.announcements().begin(), log.announcements().end(), less(announce_key));
  if (log.withdrawals().size() > 1) std::sort(log.withdrawals().begin(), log.withdrawals().end(), less(withdraw_key));
}

bool Packer::outbound(const AnnounceRun& run, wire::Family family, const EncodingClass& encoding, Outbound& out) {
  const AttributeSet& set = attributes_[run.attributes];
  if (!set.key.is_eligible) return false;  // for nobody
  if (run.exports != 0 && (encoding.export_policy == 0 || (run.exports >> (encoding.export_policy - 1) & 1) == 0)) return false;
  ExportTransform::Result result{set.next_hop(), set.bytes(), false};
  if (transform_ != nullptr && !transform_->apply(set, result)) return false;
  out.attributes = outbound_attributes(encoding, result.attributes, scratch_, result.keeps_med);
  out.next_hop = outbound_next_hop(encoding, family, result.next_hop, next_hop_scratch_);
  return true;
}

// Runs that are packed as one: [i, end).
template <class Runs>
static std::size_t end_of_equal(const Runs& runs, std::size_t i) {
  std::size_t j = i + 1;
  while (j < runs.size() && runs[j].attributes == runs[i].attributes && runs[j].exports == runs[i].exports) ++j;
  return j;
}

std::size_t Packer::upper_bound(ChangeLog& log, wire::Family family, const EncodingClass& encoding) {
  std::size_t total = 64;
  const auto& runs = log.announcements();
  for (std::size_t i = 0; i < runs.size();) {
    std::size_t nlri = 0, j = end_of_equal(runs, i);
    for (std::size_t k = i; k < j; ++k) nlri += runs[k].end - runs[k].begin;
    Outbound out;
    if (!outbound(runs[i], family, encoding, out)) {
      i = j;
      continue;
    }
    std::size_t overhead = kUpdateHeader + kReachHeader + out.next_hop.size() + out.attributes.size();
    // A message holds at least this much NLRI (one entry may be left over at its end).
    std::size_t entry = family == wire::Family::evpn ? wire::kMaxEvpnEntry : 64;
    std::size_t room = wire::kMaxMessage > overhead + 2 * entry ? wire::kMaxMessage - overhead - entry : 12;
    total += nlri + (nlri / room + 1) * overhead;
    i = j;
  }
  std::size_t withdrawn = 0;
  for (const WithdrawRun& run : log.withdrawals()) withdrawn += run.end - run.begin;
  std::size_t messages = log.withdrawals().size() + withdrawn / 3900 + 1;
  return total + withdrawn + messages * (kUpdateHeader + kUnreachHeader) + NlriBuffer::kSlack;
}

void Packer::pack_withdrawals(ChangeLog& log, Batch& batch, const EncodingClass& encoding, bool transitions, std::uint8_t*& at) {
  const auto& runs = log.withdrawals();
  wire::AfiSafi family = wire::afi_safi(batch.family);
  EntryShape shape = shape_of(batch.family, encoding);
  for (std::size_t i = 0; i < runs.size();) {
    std::size_t j = i + 1;
    while (j < runs.size() && runs[j].before == runs[i].before && runs[j].after == runs[i].after) ++j;
    if ((runs[i].after != kNoId) == transitions) {
      auto begin = static_cast<std::uint32_t>(at - batch.data());
      at = fill_messages(
          at, &runs[i], &runs[0] + j, log.withdrawn_nlri(), wire::kMaxMessage - kUpdateHeader - kUnreachHeader, shape, batch.updates,
          [&](std::uint8_t* message) {
            std::uint8_t* p = put_header(message);
            p[0] = wire::attr_flag::optional | wire::attr_flag::extended_length;
            p[1] = wire::attr::mp_unreach;
            store_be16(p + 4, family.afi);
            p[6] = family.safi;
            return p + kUnreachHeader;
          },
          [&](std::uint8_t* message, std::uint8_t* end) {
            store_be16(message + kUpdateHeader + 2, static_cast<std::uint16_t>(end - message - kUpdateHeader - 4));
            close_message(message, end);
            return end;
          });
      batch.segments.push_back({begin, static_cast<std::uint32_t>(at - batch.data()), runs[i].before, runs[i].after});
    }
    i = j;
  }
}

void Packer::pack_announcements(ChangeLog& log, Batch& batch, const EncodingClass& encoding, std::uint8_t*& at) {
  const auto& runs = log.announcements();
  wire::AfiSafi family = wire::afi_safi(batch.family);
  EntryShape shape = shape_of(batch.family, encoding);
  for (std::size_t i = 0; i < runs.size();) {
    std::size_t j = end_of_equal(runs, i);
    Outbound out;
    if (!outbound(runs[i], batch.family, encoding, out)) {
      i = j;
      continue;
    }
    batch.is_partial = batch.is_partial || runs[i].exports != 0;
    ProvenanceId provenance = attributes_[runs[i].attributes].provenance;
    auto [attributes, next_hop] = out;
    std::size_t overhead = kUpdateHeader + kReachHeader + next_hop.size() + attributes.size();
    std::size_t room = overhead < wire::kMaxMessage ? wire::kMaxMessage - overhead : 0;
    auto begin = static_cast<std::uint32_t>(at - batch.data());
    at = fill_messages(
        at, &runs[i], &runs[0] + j, log.announced_nlri(), room, shape, batch.updates,
        [&](std::uint8_t* message) {
          std::uint8_t* p = put_header(message);
          p[0] = wire::attr_flag::optional | wire::attr_flag::extended_length;
          p[1] = wire::attr::mp_reach;
          store_be16(p + 4, family.afi);
          p[6] = family.safi;
          p[7] = static_cast<std::uint8_t>(next_hop.size());
          std::memcpy(p + 8, next_hop.data(), next_hop.size());
          p += 8 + next_hop.size();
          *p = 0;
          return p + 1;
        },
        [&](std::uint8_t* message, std::uint8_t* end) {
          store_be16(message + kUpdateHeader + 2, static_cast<std::uint16_t>(end - message - kUpdateHeader - 4));
          std::memcpy(end, attributes.data(), attributes.size());
          end += attributes.size();
          close_message(message, end);
          return end;
        });
    auto end = static_cast<std::uint32_t>(at - batch.data());
    if (!batch.segments.empty() && batch.segments.back().is_announcement() && batch.segments.back().after == provenance &&
        batch.segments.back().end == begin)
      batch.segments.back().end = end;
    else
      batch.segments.push_back({begin, end, kNoId, provenance});
    i = j;
  }
}

BatchRef Packer::pack(ChangeLog& log, wire::Family family, const EncodingClass& encoding, const std::shared_ptr<RetainedBytes>& retained,
                      ExportTransform* transform) {
  transform_ = transform;
  BatchRef ref(new Batch(upper_bound(log, family, encoding), retained));
  Batch& batch = *ref.get();
  batch.family = family;
  std::uint8_t* at = batch.mutable_data();
  pack_withdrawals(log, batch, encoding, false, at);
  pack_announcements(log, batch, encoding, at);
  batch.shared_end = static_cast<std::uint32_t>(at - batch.data());
  pack_withdrawals(log, batch, encoding, true, at);
  batch.finish(static_cast<std::size_t>(at - batch.data()));
  return ref;
}

}  // namespace helio::rib
