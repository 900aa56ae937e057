#include "rr/export/rib_dump.hpp"

#include <algorithm>
#include <chrono>
#include <cstdio>

#include "rr/export/mrt_record.hpp"
#include "rr/export/received_form.hpp"
#include "rr/wire/update.hpp"

namespace helio::exporter {

using reflector::RibShard;
using wire::Family;

namespace {

constexpr std::size_t kPrefixesPerStep = 256;      // on a shard's thread: a fraction of a millisecond
constexpr std::size_t kMembershipsPerStep = 512;
constexpr std::uint32_t kMostPeers = 65535;

std::uint32_t unix_now() {
  return static_cast<std::uint32_t>(std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch()).count());
}

// Records with the same NLRI, collected in one buffer whose parts are looked at only when it is complete.
struct Collected {
  struct Entry {
    std::uint16_t peer;
    std::uint32_t originated;
    Bytes next_hop;
    std::size_t attributes, end;                  // offsets
  };
  struct Record {
    std::vector<std::uint8_t> nlri;
    std::optional<std::uint32_t> path_id;
    std::vector<Entry> entries;
  };
  std::vector<Record> records;
  std::vector<std::uint8_t> attributes;

  void write(std::vector<std::uint8_t>& out, std::uint32_t time, Family family, std::uint32_t& sequence) const {
    for (const Record& record : records) {
      RibGeneric rib{sequence++, wire::afi_safi(family), record.path_id, record.nlri, {}};
      for (const Entry& e : record.entries)
        rib.entries.push_back({e.peer, e.originated, e.next_hop, Bytes(attributes).subspan(e.attributes, e.end - e.attributes)});
      encode_rib_generic(out, time, rib);
    }
  }
};

}  // namespace

RibDump::RibDump(reflector::Reflector& reflector, std::uint32_t started) : reflector_(reflector), started_(started), time_(unix_now()) {}

std::string RibDump::cursor() const {
  char text[160];
  int size = std::snprintf(text, sizeof text, "%x.%x.%x.%llx.%llx.%x.%x.%x.%x", step_, at_.is_v6 ? 1u : 0u, at_.table,
                           static_cast<unsigned long long>(at_.address >> 64), static_cast<unsigned long long>(at_.address), at_.length, sequence_, peers_, time_);
  std::string out(text, static_cast<std::size_t>(size));
  if (last_membership_) {
    size = std::snprintf(text, sizeof text, ".%x.%x.%llx", last_membership_->length, last_membership_->origin_as,
                         static_cast<unsigned long long>(last_membership_->target));
    out.append(text, static_cast<std::size_t>(size));
  }
  return out;
}

bool RibDump::resume(const std::string& cursor) {
  unsigned step, is_v6, table, length, sequence, peers, time, bits = 0, as = 0;
  unsigned long long high, low, target = 0;
  char rest;
  int fields = std::sscanf(cursor.c_str(), "%x.%x.%x.%llx.%llx.%x.%x.%x.%x.%x.%x.%llx%c", &step, &is_v6, &table, &high, &low, &length, &sequence, &peers, &time,
                           &bits, &as, &target, &rest);
  if ((fields != 9 && fields != 12) || step == 0 || is_v6 > 1 || length > (is_v6 ? 128u : 32u) || bits > 96 || peers > kMostPeers) return false;
  step_ = step;
  at_ = {is_v6 != 0, table, static_cast<rib::Address6>(high) << 64 | low, static_cast<std::uint8_t>(length)};
  sequence_ = sequence;
  peers_ = peers;
  time_ = time;
  if (fields == 12) last_membership_ = wire::RtMembership{static_cast<std::uint8_t>(bits), as, target};
  return true;
}

bool RibDump::next(std::vector<std::uint8_t>& out, std::size_t most) {
  std::size_t end = out.size() + most;
  session::SessionManager& sessions = reflector_.sessions();
  std::uint32_t shards = sessions.shards(), slices = reflector_.settings().evpn ? 2 * shards : shards;
  while (out.size() < end) {
    bool more;
    if (step_ == 0) {
      write_peers(out);
      more = false;
    } else if (step_ <= slices) {
      std::uint32_t s = (step_ - 1) % shards;
      bool is_evpn = step_ > shards;
      more = sessions.shard(ShardId(s)).call([&] {
        reflector::Shard& shard = reflector_.shard(s);
        RibShard* slice = is_evpn ? shard.evpn() : &shard.rib();
        return slice != nullptr && write_slice(out, *slice);
      });
    } else if (step_ == slices + 1) {
      more = sessions.shard(ShardId(0)).call([&] { return write_memberships(out); });
    } else {
      return false;
    }
    if (more) continue;
    ++step_;
    at_ = {};
  }
  return step_ <= slices + 1;
}

// The index is the PeerId, so that it stays the same while the dump is under way; ids that nobody has get an empty entry.
void RibDump::write_peers(std::vector<std::uint8_t>& out) {
  PeerIndexTable table;
  table.collector_id = reflector_.settings().router_id;
  for (const session::PeerSnapshot& s : reflector_.sessions().peers()) {
    if (s.peer.value >= kMostPeers) break;
    table.peers.resize(s.peer.value + 1);
    table.peers.back() = {s.router_id, s.address, s.peer_as};
  }
  peers_ = static_cast<std::uint32_t>(table.peers.size());
  encode_peer_index_table(out, time_, table);
}

bool RibDump::write_slice(std::vector<std::uint8_t>& out, RibShard& slice) {
  return walk_prefixes(slice, at_, kPrefixesPerStep, [&](auto& rib, std::uint64_t rd, const auto& key, const rib::Slot& slot) { write_prefix(out, slice, rib, rd, key, slot); });
}

template <class Address>
void RibDump::write_prefix(std::vector<std::uint8_t>& out, RibShard& slice, rib::FamilyRib<Address>& rib, std::uint64_t rd, const rib::PrefixKey<Address>& key,
                           const rib::Slot& slot) {
  Collected collected;
  const rib::AttributeStore& store = slice.shared().attributes;
  std::vector<std::uint8_t> nlri;
  rib.paths_of(slot, paths_);
  for (const rib::PathRef& path : paths_) {
    PeerId peer = store[path.attributes].peer;
    if (peer.value >= peers_) continue;  // came after the table was written
    const rib::AttributeSet& set = store[store.received_of(path.attributes)];
    nlri.clear();
    append_nlri(nlri, slice, rd, key, path.label, nullptr);
    std::optional<std::uint32_t> path_id;
    if (path.path_id != 0) path_id = path.path_id;
    auto at = std::ranges::find_if(collected.records, [&](const Collected::Record& r) { return r.path_id == path_id && r.nlri == nlri; });
    if (at == collected.records.end()) at = collected.records.insert(at, {nlri, path_id, {}});
    std::uint32_t since = slot.has_list() ? path.time : slice.seconds_of(slot.stamp());
    std::size_t begin = collected.attributes.size();
    append_attributes(collected.attributes, set.bytes(), set.key, AttributeForm::received);
    at->entries.push_back({static_cast<std::uint16_t>(peer.value), started_ + since, set.next_hop(), begin, collected.attributes.size()});
  }
  collected.write(out, time_, rib.family(), sequence_);
}

bool RibDump::write_memberships(std::vector<std::uint8_t>& out) {
  const auto& routes = reflector_.shard(0).rtc()->routes();
  auto route = last_membership_ ? routes.upper_bound(*last_membership_) : routes.begin();
  for (std::size_t n = 0; route != routes.end() && n < kMembershipsPerStep; ++route, ++n) {
    Collected collected;
    Collected::Record record;
    wire::encode_rtc_nlri(record.nlri, route->first);
    for (const reflector::RtcRib::Path& path : route->second) {
      if (path.is_proxy || path.peer.value >= peers_) continue;  // ours, for a peer that does not say it
      const reflector::OwnedAttributes& set = *path.attributes;
      std::size_t begin = collected.attributes.size();
      append_attributes(collected.attributes, set.bytes, set.key, AttributeForm::received);
      record.entries.push_back({static_cast<std::uint16_t>(path.peer.value), 0, set.next_hop, begin, collected.attributes.size()});
    }
    last_membership_ = route->first;
    if (record.entries.empty()) continue;
    collected.records.push_back(std::move(record));
    collected.write(out, time_, Family::rtc, sequence_);
  }
  return route != routes.end();
}

}  // namespace helio::exporter
