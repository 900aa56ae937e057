// RibPolicy: the policies as one RIB shard applies them. Says what becomes of each received attribute set, and
// remembers it: as a derived set in the attribute store, or as a mark on the received one when nothing changes. The
// verdicts of export policies go into the provenance of the result; what they change is made when a batch is packed.
// Its shard's thread only. Peers without any policy cost one test per UPDATE.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "rib/encoding_class.hpp"
#include "rib/rib_shared.hpp"
#include "rr/reflector/reflection.hpp"
#include "rr/reflector/route_policy.hpp"

namespace helio::reflector {

class RibPolicy {
 public:
  explicit RibPolicy(rib::RibShared& shared) : shared_(shared) {}
  ~RibPolicy();
  // What the decision looks at in the attributes that a policy made.
  void set_options(const DecisionOptions& options) {
    own_as_ = options.own_as;
    canonicaliser_ = Canonicaliser(options);
  }

  const RoutePolicies* policies() const { return policies_.get(); }
  // Peers whose results may change are in a new round; the old policies are handed back.
  std::shared_ptr<const RoutePolicies> set(std::shared_ptr<const RoutePolicies> policies);

  void peer_up(PeerId peer, const std::string& group, const PolicySource& source);
  bool applies_to(PeerId peer) const { return peer.value < peers_.size() && peers_[peer.value].applies; }
  PolicyTests tests_of(PeerId peer) const { return peers_[peer.value].tests; }

  // Visits each reference that is held of a set.
  template <class Visit>
  void each_held(Visit&& visit) const {
    for (const Peer& peer : peers_) {
      if (!peer.has_last) continue;
      visit(peer.last);
      for (const auto& [passed, result] : peer.results) visit(result);
    }
  }

  // What the policies make of a received set of the peer for NLRIs that pass `passed`. The result is good until the
  // next call for the peer with another set.
  rib::AttributeId resolve(PeerId peer, rib::AttributeId received, PolicyTests passed);
  // What the policies make of a received set for the NLRIs that a path with the set `like` of the same peer stands for. The
  // caller gets one reference.
  rib::AttributeId judge_as(rib::AttributeId like, rib::AttributeId received);
  // Nothing is remembered of the peer's last set any more.
  void forget(PeerId peer);

  // After set(): may results of the peer have changed?
  bool is_concerned(PeerId peer) const { return peer.value < peers_.size() && peers_[peer.value].concerned; }
  void none_concerned();
  // May paths with this set get another one now, or look different to an export class than under the old policies?
  bool may_differ(const RoutePolicies* old, rib::AttributeId id);
  // Export numbers (a bit each) whose classes see a difference between `before` under the old policies and `after`.
  std::uint16_t changed_exports(const RoutePolicies* old, rib::AttributeId before, rib::AttributeId after);

  // What the import policy made of a path with this set, and the statements that matched; for views. Nothing when its
  // peer has no import policy.
  struct Explanation {
    std::string_view result;             // accepted, changed, rejected
    std::vector<std::string> statements;
  };
  std::optional<Explanation> explain(rib::AttributeId id);
  // What the export policy with this number makes of a set; false: not sent.
  bool export_outcome(const RoutePolicies& policies, std::uint8_t number, const rib::AttributeSet& set, PolicyOutcome& out) const;

 private:
  struct Peer {
    bool applies = false, concerned = false;
    std::uint16_t import = RoutePolicies::kNoPolicy;
    std::string group;
    PolicySource source;
    PolicyTests tests = 0;
    std::uint32_t round = 0;             // a new one when results may have changed
    bool has_last = false;
    rib::AttributeId last = 0;           // received set the results below are of; a reference on each is held
    std::vector<std::pair<PolicyTests, rib::AttributeId>> results;
    std::uint8_t mark() const { return static_cast<std::uint8_t>(round % 253 + 1); }
  };
  void look_up(Peer& peer);
  rib::AttributeId find_or_make(Peer& peer, rib::AttributeId received, PolicyTests passed);
  bool same_export(const RoutePolicies* old, std::uint8_t number, const rib::AttributeSet& before, const rib::AttributeSet& after);
  std::size_t growth_of_exported() const;
  bool evaluate(const Peer& peer, const rib::AttributeSet& received, PolicyTests passed);
  // Of a set that is not a lost one.
  static PolicyTests passed_of(const rib::AttributeSet& set) { return set.is_derived() ? set.derivation().tests : 0; }

  rib::RibShared& shared_;
  std::shared_ptr<const RoutePolicies> policies_;
  std::vector<Peer> peers_;              // by PeerId
  Canonicaliser canonicaliser_;
  Asn own_as_ = 0;
  PolicyOutcome outcome_, exported_, exported_before_;
  rib::CanonicalAttributes result_;      // of evaluate; points into the above
};

}  // namespace helio::reflector
