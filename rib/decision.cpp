// RFC 4271 §9.1.2.2: "the process of elimination": each step removes candidates, the last one left is best.
// This implementation goes through the steps in order over the candidates still in play. MED is compared within each
// neighbouring AS only, over all candidates of that AS, so that the order of arrival never matters.
//
// Two candidates are compared without the bookkeeping: before_med, MED, after_med. Ranking sorts by the same pieces.
#include "rib/decision.hpp"

#include <algorithm>
#include <array>

#include "rr/base/check.hpp"

namespace helio::rib {
namespace {

constexpr std::array<std::string_view, static_cast<std::size_t>(DecisionStep::count_)> kNames = {
    "best",           "not eligible",          "long-lived stale",      "higher cost community",  "lower LOCAL_PREF",    "higher AIGP metric", "longer AS_PATH",
    "worse ORIGIN",   "higher MED",            "iBGP, best is eBGP",     "higher IGP metric",   "higher cost community at the IGP metric",
    "newer external path", "higher ORIGINATOR_ID", "longer CLUSTER_LIST", "higher peer address", "higher path id"};

using Costs = std::vector<DecisionExtras::Cost>;

// By ascending id, the first difference decides.
std::strong_ordering compare_costs(const Costs& a, const Costs& b) {
  std::size_t i = 0, j = 0;
  while (i < a.size() || j < b.size()) {
    std::uint32_t x = DecisionExtras::kDefaultCost, y = DecisionExtras::kDefaultCost;
    bool take_a = j == b.size() || (i < a.size() && a[i].id <= b[j].id);
    bool take_b = i == a.size() || (j < b.size() && b[j].id <= a[i].id);
    if (take_a) x = a[i++].value;
    if (take_b) y = b[j++].value;
    if (x != y) return x <=> y;
  }
  return std::strong_ordering::equal;
}

const DecisionExtras kNone;
const DecisionExtras& extras_of(const Candidate& c) { return c.extras != nullptr ? *c.extras : kNone; }

// RFC 7311 §4.1: paths with AIGP before those without; then the lower sum of AIGP and interior cost.
std::strong_ordering compare_aigp(const Candidate& a, const Candidate& b) {
  const DecisionExtras &x = extras_of(a), &y = extras_of(b);
  if (x.has_aigp != y.has_aigp) return y.has_aigp <=> x.has_aigp;
  if (!x.has_aigp) return std::strong_ordering::equal;
  auto sum = [](std::uint64_t aigp, std::uint32_t metric) { return aigp > ~std::uint64_t{0} - metric ? ~std::uint64_t{0} : aigp + metric; };
  return sum(x.aigp, a.igp_metric) <=> sum(y.aigp, b.igp_metric);
}

// Less is better, as everywhere below.
std::strong_ordering before_med(const Candidate& a, const Candidate& b) {
  const DecisionKey &x = *a.key, &y = *b.key;
  if (x.is_eligible != y.is_eligible) return y.is_eligible <=> x.is_eligible;
  if (x.llgr_stale != y.llgr_stale) return x.llgr_stale <=> y.llgr_stale;
  bool extras = a.extras != nullptr || b.extras != nullptr;
  if (extras)
    if (auto c = compare_costs(extras_of(a).first_costs, extras_of(b).first_costs); c != 0) return c;
  if (x.local_pref != y.local_pref) return y.local_pref <=> x.local_pref;
  if (extras)
    if (auto c = compare_aigp(a, b); c != 0) return c;
  if (x.as_path_length != y.as_path_length) return x.as_path_length <=> y.as_path_length;
  return x.origin <=> y.origin;
}

// `a_used`, `b_used`: the path in use, for RFC 5004.
std::strong_ordering after_med(const Candidate& a, const Candidate& b, bool a_used, bool b_used) {
  const DecisionKey &x = *a.key, &y = *b.key;
  if (x.is_external != y.is_external) return y.is_external <=> x.is_external;
  if (a.igp_metric != b.igp_metric) return a.igp_metric <=> b.igp_metric;
  if (a.extras != nullptr || b.extras != nullptr)
    if (auto c = compare_costs(extras_of(a).igp_costs, extras_of(b).igp_costs); c != 0) return c;
  if (x.is_external && a_used != b_used) return b_used <=> a_used;
  if (x.originator_id != y.originator_id) return x.originator_id <=> y.originator_id;
  if (x.cluster_list_length != y.cluster_list_length) return x.cluster_list_length <=> y.cluster_list_length;
  if (a.peer_address != b.peer_address) return a.peer_address < b.peer_address ? std::strong_ordering::less : std::strong_ordering::greater;
  return a.path_id <=> b.path_id;
}

class Elimination {
 public:
  Elimination(std::span<const Candidate> candidates, std::span<DecisionStep> lost_at)
      : candidates_(candidates), lost_at_(lost_at), alive_(candidates.size()) {
    for (std::size_t i = 0; i < alive_.size(); ++i) alive_[i] = i;
  }
  bool decided() const { return alive_.size() == 1; }
  std::size_t winner() const { return alive_.front(); }

  // Keeps the candidates with the smallest rank(candidate).
  template <class Rank>
  void keep_lowest(DecisionStep step, Rank&& rank) {
    if (decided()) return;
    auto best = rank(candidates_[alive_[0]]);
    for (std::size_t i : alive_) best = std::min(best, rank(candidates_[i]));
    remove_if(step, [&](std::size_t i) { return rank(candidates_[i]) != best; });
  }
  // Keeps those that no other one beats.
  template <class Compare>
  void keep_least(DecisionStep step, Compare&& compare) {
    if (decided()) return;
    std::size_t best = alive_[0];
    for (std::size_t i : alive_)
      if (compare(candidates_[i], candidates_[best]) < 0) best = i;
    remove_if(step, [&](std::size_t i) { return compare(candidates_[i], candidates_[best]) != 0; });
  }
  // Removes candidates for which another one of the same neighbouring AS has a lower MED.
  void compare_med(bool always) {
    if (decided()) return;
    std::vector<std::size_t> before = alive_;
    remove_if(DecisionStep::med, [&](std::size_t i) {
      const DecisionKey& mine = *candidates_[i].key;
      for (std::size_t other : before) {
        const DecisionKey& theirs = *candidates_[other].key;
        if ((always || theirs.neighbor_as == mine.neighbor_as) && theirs.med < mine.med) return true;
      }
      return false;
    });
  }
  // RFC 5004 §3: among external paths the one in use stays.
  void keep_used() {
    if (decided() || alive_[0] != 0 || !candidates_[0].key->is_external) return;
    remove_if(DecisionStep::oldest, [](std::size_t i) { return i != 0; });
  }

 private:
  template <class Loses>
  void remove_if(DecisionStep step, Loses&& loses) {
    std::size_t kept = 0;
    for (std::size_t i : alive_) {
      if (!loses(i)) alive_[kept++] = i;
      else if (!lost_at_.empty()) lost_at_[i] = step;
    }
    alive_.resize(kept);
  }
  std::span<const Candidate> candidates_;
  std::span<DecisionStep> lost_at_;
  std::vector<std::size_t> alive_;
};

// The commonest case by far, without the bookkeeping: true when the first wins.
bool first_of_two_wins(std::span<const Candidate> two, const DecisionRules& rules) {
  const Candidate &a = two[0], &b = two[1];
  if (auto c = before_med(a, b); c != 0) return c < 0;
  if ((rules.always_compare_med || a.key->neighbor_as == b.key->neighbor_as) && a.key->med != b.key->med) return a.key->med < b.key->med;
  return after_med(a, b, rules.prefer_oldest, false) <= 0;
}

}  // namespace

std::string_view decision_step_name(DecisionStep step) { return kNames[static_cast<std::size_t>(step)]; }

std::size_t select_best(std::span<const Candidate> candidates, std::span<DecisionStep> lost_at, const DecisionRules& rules) {
  HELIO_DCHECK(!candidates.empty(), "decision over nothing");
  if (candidates.size() == 1) return 0;
  if (candidates.size() == 2 && lost_at.empty()) return first_of_two_wins(candidates, rules) ? 0 : 1;

  Elimination left(candidates, lost_at);
  using C = const Candidate&;
  bool extras = std::any_of(candidates.begin(), candidates.end(), [](C c) { return c.extras != nullptr; });
  left.keep_lowest(DecisionStep::eligible, [](C c) { return c.key->is_eligible ? 0 : 1; });
  left.keep_lowest(DecisionStep::llgr_stale, [](C c) { return c.key->llgr_stale ? 1 : 0; });
  if (extras) left.keep_least(DecisionStep::first_cost, [](C a, C b) { return compare_costs(extras_of(a).first_costs, extras_of(b).first_costs); });
  left.keep_lowest(DecisionStep::local_pref, [](C c) { return ~c.key->local_pref; });
  if (extras) left.keep_least(DecisionStep::aigp, compare_aigp);
  left.keep_lowest(DecisionStep::as_path_length, [](C c) { return c.key->as_path_length; });
  left.keep_lowest(DecisionStep::origin, [](C c) { return c.key->origin; });
  left.compare_med(rules.always_compare_med);
  left.keep_lowest(DecisionStep::external, [](C c) { return c.key->is_external ? 0 : 1; });
  left.keep_lowest(DecisionStep::igp_metric, [](C c) { return c.igp_metric; });
  if (extras) left.keep_least(DecisionStep::igp_cost, [](C a, C b) { return compare_costs(extras_of(a).igp_costs, extras_of(b).igp_costs); });
  if (rules.prefer_oldest) left.keep_used();
  left.keep_lowest(DecisionStep::originator_id, [](C c) { return c.key->originator_id; });
  left.keep_lowest(DecisionStep::cluster_list_length, [](C c) { return c.key->cluster_list_length; });
  left.keep_lowest(DecisionStep::peer_address, [](C c) { return c.peer_address; });
  left.keep_lowest(DecisionStep::path_id, [](C c) { return c.path_id; });
  return left.winner();
}

// Paths that are equal up to MED are merged from the neighbouring ASes: within one AS they are in the order of MED, so
// its head is what elimination leaves of it, and the best head by the later steps comes next.
void rank_paths(std::span<const Candidate> candidates, std::span<std::uint32_t> order, const DecisionRules& rules) {
  for (std::uint32_t i = 0; i < order.size(); ++i) order[i] = i;
  auto group = [&](std::uint32_t i) { return rules.always_compare_med ? 0 : candidates[i].key->neighbor_as; };
  auto later = [&](std::uint32_t i, std::uint32_t j) {
    return after_med(candidates[i], candidates[j], rules.prefer_oldest && i == 0, rules.prefer_oldest && j == 0) < 0;
  };
  // By everything, AS before MED; nearly sorted as a rule.
  auto less = [&](std::uint32_t i, std::uint32_t j) {
    if (auto c = before_med(candidates[i], candidates[j]); c != 0) return c < 0;
    if (group(i) != group(j)) return group(i) < group(j);
    if (candidates[i].key->med != candidates[j].key->med) return candidates[i].key->med < candidates[j].key->med;
    return later(i, j);
  };
  std::sort(order.begin(), order.end(), less);
  std::vector<std::uint32_t> rest;
  for (std::size_t from = 0; from < order.size();) {
    std::size_t to = from + 1;
    bool several = false;  // neighbouring ASes
    for (; to < order.size() && before_med(candidates[order[from]], candidates[order[to]]) == 0; ++to)
      several = several || group(order[from]) != group(order[to]);
    if (several) {
      rest.assign(order.begin() + static_cast<std::ptrdiff_t>(from), order.begin() + static_cast<std::ptrdiff_t>(to));
      std::vector<std::size_t> heads;
      for (std::size_t i = 0; i < rest.size(); ++i)
        if (i == 0 || group(rest[i]) != group(rest[i - 1])) heads.push_back(i);
      for (std::size_t at = from; at < to; ++at) {
        std::size_t best = 0;
        for (std::size_t h = 1; h < heads.size(); ++h)
          if (later(rest[heads[h]], rest[heads[best]])) best = h;
        std::size_t head = heads[best]++;
        order[at] = rest[head];
        if (heads[best] == rest.size() || group(rest[heads[best]]) != group(rest[head])) heads.erase(heads.begin() + static_cast<std::ptrdiff_t>(best));
      }
    }
    from = to;
  }
}

}  // namespace helio::rib
