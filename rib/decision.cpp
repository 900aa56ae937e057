// RFC 4271 §9.1.2.2: "the process of elimination": each step removes candidates, the last one left is best.
// This implementation goes through the steps in order over the candidates still in play. MED is compared within each
// neighbouring AS only, over all candidates of that AS, so that the order of arrival never matters.
#include "rib/decision.hpp"

#include <array>
#include <vector>

#include "rr/base/check.hpp"

namespace helio::rib {
namespace {

constexpr std::array<std::string_view, static_cast<std::size_t>(DecisionStep::count_)> kNames = {
    "best",           "lower LOCAL_PREF", "longer AS_PATH",         "worse ORIGIN",        "higher MED",     "iBGP, best is eBGP",
    "higher IGP metric", "higher ORIGINATOR_ID", "longer CLUSTER_LIST", "higher peer address", "higher path id"};

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
    auto best = rank(candidates_[alive_[0]]);
    for (std::size_t i : alive_) best = std::min(best, rank(candidates_[i]));
    remove_if(step, [&](std::size_t i) { return rank(candidates_[i]) != best; });
  }
  // Removes candidates for which another one of the same neighbouring AS has a lower MED.
  void compare_med() {
    std::vector<std::size_t> before = alive_;
    remove_if(DecisionStep::med, [&](std::size_t i) {
      const DecisionKey& mine = *candidates_[i].key;
      for (std::size_t other : before) {
        const DecisionKey& theirs = *candidates_[other].key;
        if (theirs.neighbor_as == mine.neighbor_as && theirs.med < mine.med) return true;
      }
      return false;
    });
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

// The commonest case by far, without the bookkeeping: true when a wins.
bool first_of_two_wins(const Candidate& a, const Candidate& b) {
  const DecisionKey &x = *a.key, &y = *b.key;
  if (x.local_pref != y.local_pref) return x.local_pref > y.local_pref;
  if (x.as_path_length != y.as_path_length) return x.as_path_length < y.as_path_length;
  if (x.origin != y.origin) return x.origin < y.origin;
  if (x.neighbor_as == y.neighbor_as && x.med != y.med) return x.med < y.med;
  if (x.is_external != y.is_external) return x.is_external;
  if (x.originator_id != y.originator_id) return x.originator_id < y.originator_id;
  if (x.cluster_list_length != y.cluster_list_length) return x.cluster_list_length < y.cluster_list_length;
  if (a.peer_address != b.peer_address) return a.peer_address < b.peer_address;
  return a.path_id <= b.path_id;
}

}  // namespace

std::string_view decision_step_name(DecisionStep step) { return kNames[static_cast<std::size_t>(step)]; }

std::size_t select_best(std::span<const Candidate> candidates, std::span<DecisionStep> lost_at) {
  HELIO_DCHECK(!candidates.empty(), "decision over nothing");
  if (candidates.size() == 1) return 0;
  if (candidates.size() == 2 && lost_at.empty()) return first_of_two_wins(candidates[0], candidates[1]) ? 0 : 1;

  Elimination left(candidates, lost_at);
  using C = const Candidate&;
  left.keep_lowest(DecisionStep::local_pref, [](C c) { return ~c.key->local_pref; });
  if (!left.decided()) left.keep_lowest(DecisionStep::as_path_length, [](C c) { return c.key->as_path_length; });
  if (!left.decided()) left.keep_lowest(DecisionStep::origin, [](C c) { return c.key->origin; });
  if (!left.decided()) left.compare_med();
  if (!left.decided()) left.keep_lowest(DecisionStep::external, [](C c) { return c.key->is_external ? 0 : 1; });
  if (!left.decided()) left.keep_lowest(DecisionStep::originator_id, [](C c) { return c.key->originator_id; });
  if (!left.decided()) left.keep_lowest(DecisionStep::cluster_list_length, [](C c) { return c.key->cluster_list_length; });
  if (!left.decided()) left.keep_lowest(DecisionStep::peer_address, [](C c) { return c.peer_address; });
  if (!left.decided()) left.keep_lowest(DecisionStep::path_id, [](C c) { return c.path_id; });
  return left.winner();
}

}  // namespace helio::rib
