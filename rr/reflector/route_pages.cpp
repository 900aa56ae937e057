// Reflector::routes: pages of routes, collected step by step over tables and shards.
//
// A cursor is "shard.family.table.address.length" in hexadecimal: where to go on. It stays valid while tables come and
// go; what is announced or withdrawn behind it meanwhile is not seen.
#include <fmt/format.h>

#include <algorithm>

#include "rr/reflector/path_view.hpp"
#include "rr/reflector/prefix_key.hpp"
#include "rr/reflector/reflector.hpp"
#include "rr/wire/evpn_nlri.hpp"

namespace helio::reflector {

using rib::Address4;
using rib::Address6;
using wire::Family;

namespace {

constexpr std::size_t kEntriesPerStep = 1000, kRowsPerStep = 100;

struct Position {
  std::uint32_t shard = 0;
  std::uint32_t table = 0;
  Address6 address = 0;  // right-aligned for IPv4
  unsigned length = 0;
};

std::string format_cursor(const Position& p) {
  return fmt::format("{:x}.{:x}.{:x}.{:x}.{:x}", p.shard, p.table, static_cast<std::uint64_t>(p.address >> 64),
                     static_cast<std::uint64_t>(p.address), p.length);
}

std::optional<Position> parse_cursor(const std::string& text) {
  unsigned long long shard, table, high, low, length;
  char rest;
  if (std::sscanf(text.c_str(), "%llx.%llx.%llx.%llx.%llx%c", &shard, &table, &high, &low, &length, &rest) != 5) return std::nullopt;
  if (shard > 0xffff || table > 0xffffffff || length > 128) return std::nullopt;
  return Position{static_cast<std::uint32_t>(shard), static_cast<std::uint32_t>(table), static_cast<Address6>(high) << 64 | low,
                  static_cast<unsigned>(length)};
}

template <class Address>
bool covers(const rib::PrefixKey<Address>& outer, const rib::PrefixKey<Address>& inner) {
  if (inner.length < outer.length) return false;
  if (outer.length == 0) return true;
  unsigned shift = sizeof(Address) * 8 - outer.length;
  return outer.address >> shift == inner.address >> shift;
}

struct Row {
  RouteView view;
  std::vector<rib::ProvenanceId> provenances;  // of each path, when asked for what a peer is sent
};

// The payload of an EVPN path, which the RIB keeps in place of labels.
template <class Address>
void show_evpn(const rib::EvpnKeys& keys, const rib::PrefixKey<Address>& key, Bytes payload, PathView& view) {
  if constexpr (sizeof(Address) == 16) {
    std::uint32_t id = rib::EvpnKeys::id_of(key.address);
    view.labels = wire::evpn_labels(keys.type(id), payload);
    view.payload = wire::format_evpn_payload(keys.type(id), keys.key(id), payload);
  }
}

// One step on one shard: fills rows, moves the position. Returns false at the end of the shard's tables.
template <class Address>
bool collect(Shard& shard, rib::FamilyRib<Address>& rib, const RouteQuery& query, std::optional<PeerId> from, const rib::Selection* sent, Position& position,
             std::vector<Row>& rows, std::size_t row_limit) {
  bool is_evpn = rib.family() == Family::evpn;
  RibShard& slice = shard.rib_of(rib.family());
  rib::RibShared& shared = slice.shared();
  std::size_t seen = 0;
  std::optional<rib::PrefixKey<Address>> wanted;
  if (query.prefix) wanted = key_of<Address>(*query.prefix);
  std::optional<std::uint32_t> only;
  if (query.rd) {
    only = rib.find_table(query.rd->value);
    if (!only || position.table > *only) return false;
    position.table = *only;
  }
  std::vector<rib::PathRef> paths;
  std::vector<rib::SelectedPath> selected;
  for (; position.table < rib.table_limit(); ++position.table, position.address = 0, position.length = 0) {
    if (only && position.table != *only) return false;
    if (!rib.has_table(position.table)) {
      if (++seen > kEntriesPerStep) return true;
      continue;
    }
    std::uint64_t rd = rib.rd_of(position.table);
    rib::PrefixKey<Address> start{static_cast<Address>(position.address), static_cast<std::uint8_t>(position.length)};
    if (wanted && start < *wanted) start = *wanted;
    bool full = false;
    rib.walk_table(position.table, start, [&](const rib::PrefixKey<Address>& key, const rib::Slot& slot, const rib::PathRef& best) {
      if (++seen > kEntriesPerStep || rows.size() >= row_limit) {
        position.address = key.address;
        position.length = key.length;
        full = true;
        return false;
      }
      if (wanted && (query.longer ? !covers(*wanted, key) : !(key == *wanted))) return covers(*wanted, key) || key < *wanted;
      // Nothing usable: among what its peer announced, or when asked for by name.
      if (!shared.attributes[best.attributes].key.is_eligible && !from && !query.prefix) return true;
      rib::ProvenanceId provenance = shared.attributes[best.attributes].provenance;
      if (query.rt) {
        const auto& targets = shared.provenances.rt_set(shared.provenances.provenance(provenance).rt_set).targets;
        if (!std::binary_search(targets.begin(), targets.end(), query.rt->value)) return true;
      }
      rib.paths_of(slot, paths);
      if (from && std::none_of(paths.begin(), paths.end(), [&](const rib::PathRef& p) { return shared.attributes[p.attributes].peer == *from; }))
        return true;
      Row& row = rows.emplace_back();
      row.view.prefix = prefix_of(rd, key);
      if constexpr (sizeof(Address) == 16) {
        std::uint32_t id = rib::EvpnKeys::id_of(key.address);
        if (is_evpn) row.view.evpn = wire::format_evpn_key(slice.evpn_keys().type(id), slice.evpn_keys().key(id));
      }
      if (sent != nullptr) rib.selected_paths(slot, *sent, selected);
      std::vector<rib::DecisionStep> steps = paths.size() > 1 ? rib.lost_at(slot) : std::vector<rib::DecisionStep>(1);
      auto now = static_cast<std::uint32_t>(shard.milliseconds_since_start() / 1000);
      for (std::size_t i = 0; i < paths.size(); ++i) {
        const rib::AttributeSet& set = shared.attributes[paths[i].attributes];
        if (from && set.peer != *from) continue;
        if (sent != nullptr) {
          if (std::none_of(selected.begin(), selected.end(), [&](const rib::SelectedPath& s) { return s.path == paths[i]; })) continue;
          row.provenances.push_back(set.provenance);
        }
        // A rejected path is shown as it was received: that is all there is of it.
        bool as_received = query.as_received || (set.is_derived() && !set.key.is_eligible);
        const rib::AttributeSet& shown = as_received ? shared.attributes[shared.attributes.received_of(paths[i].attributes)] : set;
        PathView view = view_of_attributes(rib.family(), shown.bytes(), shown.next_hop(), set.key.is_external);
        if (auto explained = slice.policy().explain(paths[i].attributes)) {
          view.policy = explained->result;
          view.policy_statements = std::move(explained->statements);
        }
        view.from = shared.peers[set.peer.value].address;
        view.path_id = paths[i].path_id;
        view.sent_path_id = shared.path_ids.outgoing(set.peer, paths[i].path_id);
        view.best = i == 0 && set.key.is_eligible;
        if (set.is_lost()) view.lost_at = "next hop unreachable";
        else if (!set.key.is_eligible) view.lost_at = rib::decision_step_name(rib::DecisionStep::eligible);
        else if (i != 0) view.lost_at = rib::decision_step_name(steps[i]);
        if (is_evpn) {
          show_evpn(slice.evpn_keys(), key, shared.label_stacks[paths[i].label & ~rib::kLabelStack], view);
        } else if ((paths[i].label & rib::kLabelStack) != 0) {
          Bytes stack = shared.label_stacks[paths[i].label & ~rib::kLabelStack];
          for (std::size_t l = 0; l + 3 <= stack.size(); l += 3) view.labels.push_back(load_be24(stack.data() + l) >> 4);
        } else {
          view.labels.push_back(paths[i].label >> 4);
        }
        std::uint32_t since = slot.has_list() ? paths[i].time : slice.seconds_of(slot.stamp());
        view.age = std::chrono::seconds(now > since ? now - since : 0);
        row.view.paths.push_back(std::move(view));
      }
      return true;
    });
    if (full) return true;
  }
  return false;
}

}  // namespace

RoutePage Reflector::routes(const RouteQuery& query) {
  RoutePage page;
  Position position;
  if (!query.cursor.empty()) {
    std::optional<Position> parsed = parse_cursor(query.cursor);
    if (!parsed || parsed->shard >= shards_.size()) return page;
    position = *parsed;
  }
  std::optional<PeerId> from, to;
  for (const session::PeerSnapshot& s : sessions_.peers()) {
    if (query.from && s.address == *query.from) from = s.peer;
    if (query.to && s.address == *query.to) to = s.peer;
  }
  if ((query.from && !from) || (query.to && !to)) return page;
  rib::Selection selection;
  std::uint32_t home = to ? to->value % static_cast<std::uint32_t>(shards_.size()) : 0;
  if (to) {
    std::uint8_t encoding_class = on_shard(home, [&] { return shards_[home]->distribution().state(*to).encoding_class; });
    std::vector<rib::EncodingClass> classes = mailboxes_.classes();
    if (encoding_class < classes.size()) selection = classes[encoding_class].selection_of(query.family);
  }
  while (page.routes.size() < query.limit) {
    std::vector<Row> rows;
    std::size_t room = std::min<std::size_t>(query.limit - page.routes.size(), kRowsPerStep);
    std::uint32_t at = position.shard;
    bool more = on_shard(at, [&] {
      Shard& shard = *shards_[at];
      const rib::Selection* sent = to ? &selection : nullptr;
      if (query.family == Family::evpn && shard.evpn() == nullptr) return false;
      return query.family == Family::vpnv4 ? collect<Address4>(shard, shard.rib().rib4(), query, from, sent, position, rows, room)
                                           : collect<Address6>(shard, shard.rib_of(query.family).rib6(), query, from, sent, position, rows, room);
    });
    if (to) {
      std::uint32_t source = query.family == Family::evpn ? at + mailboxes_.shards() : at;
      on_shard(home, [&] {
        for (Row& row : rows) {
          std::size_t kept = 0;
          for (std::size_t i = 0; i < row.view.paths.size(); ++i)
            if (shards_[home]->distribution().is_eligible(*to, source, row.provenances[i], query.family)) row.view.paths[kept++] = row.view.paths[i];
          row.view.paths.resize(kept);
        }
        return 0;
      });
      std::erase_if(rows, [](const Row& row) { return row.view.paths.empty(); });
    }
    for (Row& row : rows) page.routes.push_back(std::move(row.view));
    if (more) continue;
    if (++position.shard == shards_.size()) return page;
    position.table = 0;
    position.address = 0;
    position.length = 0;
  }
  page.cursor = format_cursor(position);
  return page;
}

}  // namespace helio::reflector
