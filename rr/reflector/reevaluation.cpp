// RibShard, what a change of policies takes: the sets of the peers concerned are judged anew, a bounded number per turn;
// then the tables with provenances whose results changed are gone through, and paths get the sets they have now. What
// is sent follows from the differences: nothing for what stays the same, to one export class what only that sees.
#include <algorithm>

#include "rr/base/check.hpp"
#include "rr/reflector/rib_shard.hpp"

namespace helio::reflector {

using rib::Address4;
using rib::Address6;
using rib::AttributeId;

namespace {

constexpr std::size_t kSetsPerTurn = 1000;  // some microseconds each
constexpr std::size_t kPrefixesPerTurn = 5000;

template <class Address>
class Reassigner final : public rib::FamilyRib<Address>::Reassigner {
 public:
  Reassigner(wire::Family family, RibPolicy& policy, rib::RibShared& shared, NextHopChanges* next_hops, const RoutePolicies* old, rib::Stamp since)
      : family_(family), policy_(policy), shared_(shared), next_hops_(next_hops), old_(old), since_(since) {}

  AttributeId choose(std::uint64_t rd, const rib::PrefixKey<Address>& key, AttributeId attributes) override {
    PeerId peer = shared_.attributes[attributes].peer;
    if (!policy_.is_concerned(peer)) return attributes;
    PolicyTests tests = policy_.tests_of(peer), passed = 0;
    if (tests != 0)
      passed = policy_.policies()->run_tests(tests, {family_, rd, static_cast<unsigned __int128>(key.address) << (128 - 8 * sizeof(Address)), key.length});
    AttributeId result = policy_.resolve(peer, shared_.attributes.received_of(attributes), passed);
    return next_hops_ == nullptr ? result : next_hops_->fit(result);
  }
  std::uint16_t changed_exports(AttributeId before, AttributeId after, rib::Stamp stamp) override {
    if (before == after && stamp > since_) return 0;  // announced by the new policies
    if (before != last_before_ || after != last_after_) {
      last_before_ = before;
      last_after_ = after;
      last_ = policy_.changed_exports(old_, before, after);
    }
    return last_;
  }

 private:
  wire::Family family_;
  RibPolicy& policy_;
  rib::RibShared& shared_;
  NextHopChanges* next_hops_;
  const RoutePolicies* old_;
  rib::Stamp since_;
  AttributeId last_before_ = rib::kNoId, last_after_ = rib::kNoId;
  std::uint16_t last_ = 0;
};

}  // namespace

void RibShard::policy_change(PolicyChange&& change) {
  policy_changes_.push_back(std::move(change));
  switch_policies();
}

// In force when all session shards have said so (their peers are then in the classes they belong to), and what the change
// before takes is done.
void RibShard::switch_policies() {
  if (reevaluation_ || policy_changes_.empty()) return;
  const RoutePolicies* wanted = policy_changes_.front().policies.get();
  auto same = [&](const PolicyChange& c) { return c.policies.get() == wanted; };
  if (static_cast<std::uint32_t>(std::count_if(policy_changes_.begin(), policy_changes_.end(), same)) < mailboxes_.shards()) return;
  seal_turn();  // what changed so far goes out as the old policies have it
  for (const PolicyChange& c : policy_changes_) {
    if (!same(c)) continue;
    for (Walk& walk : walks_)
      for (auto [from, to] : c.moves)
        if (walk.request.session_shard == c.session_shard && (walk.request.classes >> from & 1) != 0) walk.request.classes |= std::uint64_t{1} << to;
  }
  std::shared_ptr<const RoutePolicies> old = policy_.set(policy_changes_.front().policies);
  std::erase_if(policy_changes_, same);
  for (auto& stream : streams_) stream.push_back(PolicySwitched{});
  reevaluation_.emplace();
  reevaluation_->old = std::move(old);
  reevaluation_->since = shared_.turn - 1;
}

void RibShard::reevaluate_some() {
  Reevaluation& job = *reevaluation_;
  if (!job.sets_done) {
    rib::AttributeStore& store = shared_.attributes;
    for (std::size_t n = 0; n < kSetsPerTurn && job.next_set < store.limit(); ++n, ++job.next_set)
      if (store.exists(job.next_set) && policy_.may_differ(job.old.get(), job.next_set)) job.provenances.push_back(store[job.next_set].provenance);
    if (job.next_set < store.limit()) return;
    job.sets_done = true;
    std::sort(job.provenances.begin(), job.provenances.end());
    job.provenances.erase(std::unique(job.provenances.begin(), job.provenances.end()), job.provenances.end());
    for (rib::ProvenanceId p : job.provenances) {
      std::vector<std::uint32_t> tables = shared_.provenances.tables_of(p);
      job.tables.insert(job.tables.end(), tables.begin(), tables.end());
    }
    std::sort(job.tables.begin(), job.tables.end());
    job.tables.erase(std::unique(job.tables.begin(), job.tables.end()), job.tables.end());
  }
  for (std::size_t n = 0; n < 64 && !job.tables.empty(); ++n) {
    std::uint32_t ref = job.tables.back();
    if ((ref & 1) != 0) reassign_some<Address6>(ref >> 1, job.next6);
    else reassign_some<Address4>(ref >> 1, job.next4);
    if (job.next4 || job.next6) break;
    job.tables.pop_back();
  }
  seal_turn();  // what export classes are told keeps to itself
  if (job.tables.empty()) {
    policy_.none_concerned();
    reevaluation_.reset();
    if (observer_ != nullptr) observer_->on_policies_changed(*this);
    switch_policies();
  }
}

template <class Address>
void RibShard::reassign_some(std::uint32_t table, std::optional<rib::PrefixKey<Address>>& next) {
  rib::FamilyRib<Address>& rib = family<Address>();
  if (table >= rib.table_limit() || !rib.has_table(table)) {
    next.reset();
    return;
  }
  Reassigner<Address> reassigner(rib.family(), policy_, shared_, next_hops_.get(), reevaluation_->old.get(), reevaluation_->since);
  ++reassignments_;
  next = rib.reassign_table(table, next.value_or(rib::PrefixKey<Address>{}), kPrefixesPerTurn, reassigner);
}

}  // namespace helio::reflector
