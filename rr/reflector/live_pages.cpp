// Reflector, what a live view asks again and again: which route targets change, what the RDs and the shards hold.
#include <algorithm>
#include <map>

#include "rr/reflector/path_view.hpp"
#include "rr/reflector/reflector.hpp"

namespace helio::reflector {

using wire::Family;

// Announcements of best paths by route target since the cursor, from the journal. A journal that went round meanwhile is
// counted from where it begins now.
ChurnView Reflector::churn(EventCursor& cursor) {
  constexpr std::size_t kBytesPerStep = 64 << 10, kSteps = 200;
  ChurnView out;
  out.kept = shards_[0]->journal() != nullptr;
  if (!out.kept) return out;
  if (cursor.shards.empty()) {
    for (std::uint32_t s = 0; s < shards_.size(); ++s) cursor.shards.push_back(on_shard(s, [&] { return shards_[s]->journal()->end_cursor(); }));
    return out;
  }
  rib::JournalFilter filter;
  filter.memberships = filter.events = false;
  std::map<std::uint64_t, std::uint64_t> changes;
  std::vector<std::uint64_t> of_attributes;
  for (std::uint32_t s = 0; s < shards_.size(); ++s) {
    for (std::size_t step = 0, at_end = 0; at_end == 0; ++step) {
      if (step == kSteps) {  // more than can be looked at between two frames: on to the end
        cursor.shards[s] = on_shard(s, [&] { return shards_[s]->journal()->end_cursor(); });
        out.complete = false;
        break;
      }
      std::uint64_t expected = cursor.shards[s].number;
      rib::JournalSlice slice = on_shard(s, [&] { return shards_[s]->journal()->read(cursor.shards[s], filter, 1000, kBytesPerStep); });
      at_end = slice.at_end ? 1 : 0;
      if (slice.first_number != expected) out.complete = false;
      of_attributes.assign(slice.attributes.size(), 0);
      for (const rib::JournalRecord& r : slice.records)
        if (r.attributes != rib::kNoId) ++of_attributes[r.attributes];
      for (std::size_t a = 0; a < slice.attributes.size(); ++a) {
        if (slice.attributes[a].is_complete)
          for (wire::RouteTarget rt : view_of_attributes(Family::vpnv4, slice.attributes[a].bytes, {}, false).route_targets) changes[rt.value] += of_attributes[a];
        else
          for (std::uint64_t rt : slice.attributes[a].targets) changes[rt] += of_attributes[a];
      }
    }
  }
  for (auto [rt, n] : changes) out.route_targets.push_back({wire::RouteTarget{rt}, n});
  std::ranges::stable_sort(out.route_targets, std::ranges::greater(), &ChurnView::Target::changes);
  return out;
}

RdPage Reflector::rds(std::uint32_t limit) {
  constexpr std::uint32_t kTablesPerStep = 4000;
  std::map<std::pair<std::uint64_t, Family>, RdView> all;
  auto gather = [&](std::uint32_t s, auto&& rib_of) {
    for (std::uint32_t from = 0, end = 1; from < end; from += kTablesPerStep) {
      end = on_shard(s, [&] {
        auto& rib = rib_of(*shards_[s]);
        for (std::uint32_t t = from; t < std::min(from + kTablesPerStep, rib.table_limit()); ++t) {
          if (!rib.has_table(t)) continue;
          RdView& view = all[{rib.rd_of(t), rib.family()}];
          view.rd = {rib.rd_of(t)};
          view.family = rib.family();
          view.paths += rib.paths_in(t);
          ++view.shards;
        }
        return rib.table_limit();
      });
    }
  };
  for (std::uint32_t s = 0; s < shards_.size(); ++s) {
    gather(s, [](Shard& shard) -> auto& { return shard.rib().rib4(); });
    gather(s, [](Shard& shard) -> auto& { return shard.rib().rib6(); });
    if (shards_[s]->evpn() != nullptr) gather(s, [](Shard& shard) -> auto& { return shard.evpn()->rib6(); });
  }
  RdPage page;
  page.total = all.size();
  for (auto& [key, view] : all) {
    if (page.rds.size() == limit) break;
    page.rds.push_back(view);
  }
  return page;
}

std::vector<ShardView> Reflector::shards() {
  std::vector<ShardView> out;
  for (std::uint32_t s = 0; s < shards_.size(); ++s) {
    const ShardCounters& c = shards_[s]->counters();
    ShardView view;
    for (std::size_t f = 0; f < wire::kFamilyCount; ++f) {
      view.prefixes += c.prefixes[f].get();
      view.paths += c.paths[f].get();
      view.best_changes += c.best_changes[f].get();
    }
    view.attribute_sets = c.attribute_sets.get();
    view.memory_bytes = c.memory_bytes.get();
    view.turns = c.turns.get();
    view.updates_in = c.updates_in.get();
    view.walks = c.walks.get();
    view.mailbox_bytes = mailboxes_.pending_bytes(s);
    view.output_bytes = static_cast<std::uint64_t>(std::max<std::int64_t>(0, mailboxes_.retained(s).changes->bytes.load(std::memory_order_relaxed) +
                                                                                 mailboxes_.retained(s).images->bytes.load(std::memory_order_relaxed)));
    view.busy = sessions_.shard(ShardId(s)).busy_time();
    out.push_back(view);
  }
  for (const session::PeerSnapshot& peer : sessions_.peers())
    if (peer.state == session::fsm::State::established) ++out[peer.peer.value % out.size()].peers;
  return out;
}

}  // namespace helio::reflector
