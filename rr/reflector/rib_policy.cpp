#include "rr/reflector/rib_policy.hpp"

#include <algorithm>

#include "rr/base/check.hpp"
#include "rr/wire/attribute_table.hpp"
#include "rr/wire/attributes.hpp"
#include "rr/wire/message.hpp"

namespace helio::reflector {

using rib::AttributeId;
using rib::AttributeSet;

// Header, MP_REACH and what Canonicaliser keeps free for a route.
static constexpr std::size_t kMostBeside = 160;

RibPolicy::~RibPolicy() {
  for (std::uint32_t p = 0; p < peers_.size(); ++p) forget(PeerId(p));
}

void RibPolicy::look_up(Peer& peer) {
  peer.import = policies_ == nullptr ? RoutePolicies::kNoPolicy : policies_->import_of(peer.group);
  peer.tests = policies_ == nullptr ? 0 : policies_->tests_of(peer.import) | policies_->export_tests();
  peer.applies = policies_ != nullptr && (peer.import != RoutePolicies::kNoPolicy || !policies_->exports().empty());
}

void RibPolicy::peer_up(PeerId id, const std::string& group, const PolicySource& source) {
  if (id.value >= peers_.size()) peers_.resize(id.value + 1);
  forget(id);
  Peer& peer = peers_[id.value];
  peer.group = group;
  peer.source = source;
  ++peer.round;
  look_up(peer);
}

std::shared_ptr<const RoutePolicies> RibPolicy::set(std::shared_ptr<const RoutePolicies> policies) {
  std::shared_ptr<const RoutePolicies> old = std::exchange(policies_, std::move(policies));
  auto export_text = [](const RoutePolicies* p) {
    std::string text;
    if (p != nullptr)
      for (std::uint8_t n : p->exports()) text += std::to_string(n) + " " + p->export_text(n);
    return text;
  };
  bool exports_changed = export_text(old.get()) != export_text(policies_.get());
  for (std::uint32_t i = 0; i < peers_.size(); ++i) {
    Peer& peer = peers_[i];
    forget(PeerId(i));
    std::string before = old == nullptr ? "" : old->import_text(peer.import);
    look_up(peer);
    std::string after = policies_ == nullptr ? "" : policies_->import_text(peer.import);
    if (!exports_changed && before == after) continue;
    ++peer.round;
    peer.concerned = true;
  }
  return old;
}

void RibPolicy::forget(PeerId id) {
  if (id.value >= peers_.size() || !peers_[id.value].has_last) return;
  Peer& peer = peers_[id.value];
  for (auto& [passed, result] : peer.results) shared_.attributes.drop_refs(result, 1);
  shared_.attributes.drop_refs(peer.last, 1);
  peer.results.clear();
  peer.has_last = false;
}

void RibPolicy::none_concerned() {
  for (std::uint32_t i = 0; i < peers_.size(); ++i)
    if (std::exchange(peers_[i].concerned, false)) forget(PeerId(i));  // also of a peer that is down, whose stale paths were judged
}

bool RibPolicy::may_differ(const RoutePolicies* old, AttributeId id) {
  const AttributeSet& set = shared_.attributes[id];
  if (!is_concerned(set.peer)) return false;
  Peer& peer = peers_[set.peer.value];
  id = shared_.attributes.found_of(id);
  // With tests it depends on the NLRI: its paths are looked at one by one.
  if (peer.tests != 0 || shared_.attributes.tests_of(id) != 0) return true;
  AttributeId now = find_or_make(peer, shared_.attributes.received_of(id), 0);
  bool differs = now != id || changed_exports(old, id, now) != 0;
  shared_.attributes.drop_refs(now, 1);
  return differs;
}

std::uint16_t RibPolicy::changed_exports(const RoutePolicies* old, AttributeId before, AttributeId after) {
  std::uint16_t out = 0;
  for (std::uint8_t number = 1; number <= kMaxExportPolicies; ++number) {
    auto text = [&](const RoutePolicies* p) { return p == nullptr || std::ranges::find(p->exports(), number) == p->exports().end() ? std::string() : p->export_text(number); };
    if (before == after && text(old) == text(policies_.get())) continue;
    if (!same_export(old, number, shared_.attributes[before], shared_.attributes[after])) out = static_cast<std::uint16_t>(out | 1u << (number - 1));
  }
  return out;
}

AttributeId RibPolicy::resolve(PeerId id, AttributeId received, PolicyTests passed) {
  Peer& peer = peers_[id.value];
  if (!peer.has_last || peer.last != received) {
    forget(id);
    peer.has_last = true;
    peer.last = received;
    shared_.attributes.add_refs(received, 1);
  }
  for (auto& [tests, result] : peer.results)
    if (tests == passed) return result;
  AttributeId result = find_or_make(peer, received, passed);
  peer.results.emplace_back(passed, result);
  return result;
}

AttributeId RibPolicy::judge_as(AttributeId like, AttributeId received) {
  const AttributeSet& set = shared_.attributes[like];
  return find_or_make(peers_[set.peer.value], received, shared_.attributes.tests_of(like));
}

// One reference of the result is the caller's.
AttributeId RibPolicy::find_or_make(Peer& peer, AttributeId received, PolicyTests passed) {
  rib::AttributeStore& store = shared_.attributes;
  if (!peer.applies || (passed == 0 && store[received].mark == peer.mark())) {
    store.add_refs(received, 1);
    return received;
  }
  if (auto found = store.find_derived(received, passed, peer.round)) return *found;
  bool changed = evaluate(peer, store[received], passed);
  if (result_.key.has_extras && result_.extras == nullptr) result_.extras = store.extras(received);
  policies_->count(outcome_.statements, 1);
  if (!changed && (passed & policies_->export_tests()) == 0) {
    if (passed == 0) store.set_mark(received, peer.mark());
    store.add_refs(received, 1);
    return received;
  }
  if (auto old = store.find_derived(received, passed, std::nullopt)) {
    const AttributeSet& before = store[*old];
    if (before.key == result_.key && shared_.provenances.provenance(before.provenance).rejected_by == result_.rejected_by &&
        std::ranges::equal(before.bytes(), result_.bytes) && std::ranges::equal(before.next_hop(), result_.next_hop)) {
      store.set_round(*old, peer.round);
      return *old;
    }
    store.drop_refs(*old, 1);
  }
  return store.derive(received, passed, peer.round, result_);
}

// What the attributes that an export policy made grow by towards two-octet neighbours, unless the route is not sent to those anyway.
std::size_t RibPolicy::growth_of_exported() const {
  return (result_.scope & rib::scope::two_octet_size) != 0 ? 0 : as4_growth(wire::find_attribute(exported_.bytes, wire::attr::as_path), own_as_);
}

// Fills result_ and outcome_. False when the import policy changes nothing and no export policy rejects it.
bool RibPolicy::evaluate(const Peer& peer, const AttributeSet& received, PolicyTests passed) {
  const rib::Provenance& provenance = shared_.provenances.provenance(received.provenance);
  policies_->import(peer.import, peer.source, received.next_hop(), received.bytes(), passed, outcome_);
  bool accepted = outcome_.accepted;
  if (accepted && outcome_.changed)  // what has grown beyond a message is not sent to anybody
    accepted = canonicaliser_.describe(outcome_.next_hop, outcome_.bytes, received.key, result_) == Exclusion::none;
  if (!accepted) {
    // Its bytes are those of the received set.
    result_ = rib::CanonicalAttributes{};
    result_.key = received.key;
    result_.key.is_eligible = false;
    return true;
  }
  result_.scope |= provenance.scope & rib::scope::meshed;
  if (!outcome_.changed) {
    const rib::RtSet& targets = shared_.provenances.rt_set(provenance.rt_set);
    result_ = rib::CanonicalAttributes{};
    result_.next_hop = received.next_hop();
    result_.bytes = received.bytes();
    result_.key = received.key;
    result_.scope = provenance.scope;
    result_.targets = targets.targets;
    result_.targets6 = targets.targets6;
  }
  for (std::uint8_t number : policies_->exports()) {
    policies_->export_(number, peer.source, result_.next_hop, result_.bytes, passed, exported_);
    bool too_long = exported_.changed && (result_.scope & rib::scope::extended_size) == 0 && exported_.bytes.size() > result_.bytes.size() &&
                    exported_.bytes.size() + exported_.next_hop.size() + kMostBeside + growth_of_exported() > wire::kMaxMessage;
    if (!exported_.accepted || too_long) result_.rejected_by = static_cast<std::uint16_t>(result_.rejected_by | 1u << (number - 1));
  }
  return outcome_.changed || result_.rejected_by != 0;
}

std::optional<RibPolicy::Explanation> RibPolicy::explain(AttributeId id) {
  const AttributeSet& set = shared_.attributes[id];
  if (policies_ == nullptr || set.peer.value >= peers_.size() || peers_[set.peer.value].import == RoutePolicies::kNoPolicy) return std::nullopt;
  const AttributeSet& received = shared_.attributes[shared_.attributes.received_of(id)];
  const Peer& peer = peers_[set.peer.value];
  policies_->import(peer.import, peer.source, received.next_hop(), received.bytes(), shared_.attributes.tests_of(id), outcome_);
  Explanation out{!outcome_.accepted ? "rejected" : outcome_.changed ? "changed" : "accepted", {}};
  for (std::uint16_t s : outcome_.statements) out.statements.push_back(policies_->statement_name(s));
  return out;
}

bool RibPolicy::export_outcome(const RoutePolicies& policies, std::uint8_t number, const AttributeSet& set, PolicyOutcome& out) const {
  policies.export_(number, peers_[set.peer.value].source, set.next_hop(), set.bytes(), passed_of(set), out);
  return out.accepted;
}

bool RibPolicy::same_export(const RoutePolicies* old, std::uint8_t number, const AttributeSet& before, const AttributeSet& after) {
  auto outcome = [&](const RoutePolicies* policies, const AttributeSet& set, PolicyOutcome& out) {
    bool in_use = policies != nullptr && std::ranges::find(policies->exports(), number) != policies->exports().end();
    out.accepted = true;
    out.changed = out.sets_med = false;
    if (in_use) export_outcome(*policies, number, set, out);
    if (out.changed) return;
    out.next_hop.assign(set.next_hop().begin(), set.next_hop().end());
    out.bytes.assign(set.bytes().begin(), set.bytes().end());
  };
  outcome(old, before, exported_before_);
  outcome(policies_.get(), after, exported_);
  if (!exported_before_.accepted || !exported_.accepted) return exported_before_.accepted == exported_.accepted;
  return exported_before_.bytes == exported_.bytes && exported_before_.next_hop == exported_.next_hop && exported_before_.sets_med == exported_.sets_med;
}

}  // namespace helio::reflector
