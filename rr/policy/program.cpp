#include "rr/policy/program.hpp"

#include <algorithm>

#include "rr/wire/attributes.hpp"
#include "rr/wire/update_encode.hpp"

namespace helio::policy {

namespace attr = wire::attr;
using wire::Family;

namespace {

constexpr std::uint8_t kOptional = wire::attr_flag::optional, kTransitive = wire::attr_flag::transitive;
const std::string kNoText;

template <class Value>
bool any_member(Bytes list, std::size_t size, const PatternList<Value>& patterns, bool (*counts)(Value)) {
  for (std::size_t at = 0; at + size <= list.size(); at += size) {
    auto member = load_member<Value>(list.data() + at, size);
    if (counts(member) && patterns.matches(member)) return true;
  }
  return false;
}

template <class Value>
bool every(Value) { return true; }

// A next hop without RD, as EVPN has it (RFC 7432 §7); those of the VPN families have 12, 24 or 48 octets.
bool is_bare(Bytes next_hop) { return next_hop.size() == 4 || next_hop.size() == 16; }

}  // namespace

bool Test::passes(const PolicyNlri& nlri) const {
  switch (kind) {
    case Kind::prefix: return nlri.family != Family::evpn && set->prefixes.matches(nlri.family == Family::vpnv6, nlri.address, nlri.length);
    case Kind::route_distinguisher: return set->route_distinguishers.matches(nlri.rd);
    case Kind::families: return families.contains(nlri.family);
  }
  return false;
}

bool Statement::matches(WorkingRoute& route, const PolicySource& source, PolicyTests passed) const {
  if (!for_routes || (tests & ~passed) != 0) return false;
  if (source_role && source.role != *source_role) return false;
  if (peer_in != nullptr && !peer_in->peers.matches(source.address)) return false;
  if (any_route_target_in != nullptr &&
      !any_member<std::uint64_t>(route.value(attr::extended_communities), 8, any_route_target_in->route_targets, wire::is_route_target))
    return false;
  if (any_extended_community_in != nullptr &&
      !any_member<std::uint64_t>(route.value(attr::extended_communities), 8, any_extended_community_in->extended_communities, every))
    return false;
  if (any_community_in != nullptr && !any_member<std::uint32_t>(route.value(attr::communities), 4, any_community_in->communities, every)) return false;
  if (any_large_community_in != nullptr &&
      !any_member<unsigned __int128>(route.value(attr::large_communities), 12, any_large_community_in->large_communities, every))
    return false;
  if (next_hop_in != nullptr) {
    // Of a VPN family: an RD of zeros, then the address; of two the global one.
    Bytes field = route.next_hop();
    auto address = wire::next_hop_address(is_bare(field) ? Family::evpn : field.size() > 16 ? Family::vpnv6 : Family::vpnv4, field);
    if (!address || !next_hop_in->next_hops.matches(*address)) return false;
  }
  if (as_path_in != nullptr) {
    const std::string& path = route.as_path_text();
    bool unknown = false, found = std::ranges::any_of(as_path_in->as_paths, [&](const AsPathPattern& p) {
      std::optional<bool> matches = p.matches(path);
      unknown = unknown || !matches;
      return matches.value_or(false);
    });
    // What cannot be judged is rejected where the statement rejects, and no match for one that accepts.
    if (!found && !(unknown && action == Action::reject)) return false;
  }
  return true;
}

bool Statement::matches_membership(const PolicySource& source, const wire::RtMembership& nlri) const {
  if (!for_memberships) return false;
  if (source_role && source.role != *source_role) return false;
  if (peer_in != nullptr && !peer_in->peers.matches(source.address)) return false;
  if (any_membership_in == nullptr) return true;
  // A shorter NLRI asks for all the RTs below it: a pattern must cover them all.
  unsigned bits = nlri.length <= 32 ? 0 : nlri.length - 32u;
  if (bits == 0) return any_membership_in->route_targets.covers(std::uint64_t{0x0002} << 48, 0xffff000000000000) &&
                        any_membership_in->route_targets.covers(std::uint64_t{0x0102} << 48, 0xffff000000000000) &&
                        any_membership_in->route_targets.covers(std::uint64_t{0x0202} << 48, 0xffff000000000000);
  return any_membership_in->route_targets.covers(nlri.target, ~std::uint64_t{0} << (64 - bits));
}

void Statement::apply(WorkingRoute& route, PolicyTests passed) const {
  if (local_preference) route.set_u32(attr::local_pref, kTransitive, *local_preference);
  if (med) route.set_u32(attr::med, kOptional, *med);
  if (aigp) route.set_aigp(*aigp);
  if (next_hop) route.set_next_hop(is_bare(route.next_hop()) ? Family::evpn : (passed & next_hop_test) != 0 ? Family::vpnv6 : Family::vpnv4, *next_hop);
  if (edits_communities) route.edit_list(attr::communities, 4, communities_remove, communities_add);
  if (edits_extended) route.edit_list(attr::extended_communities, 8, extended_remove, extended_add);
  if (edits_large) route.edit_list(attr::large_communities, 12, large_remove, large_add);
  route.prepend(prepend_as, prepend_repeat);
}

std::uint16_t Program::import_of(std::string_view group) const {
  auto at = import_groups_.find(group);
  return at == import_groups_.end() ? kNoPolicy : at->second;
}

std::uint8_t Program::export_of(std::string_view group) const {
  auto at = export_groups_.find(group);
  return at == export_groups_.end() ? 0 : at->second;
}

const std::string& Program::import_text(std::uint16_t policy) const { return policy == kNoPolicy ? kNoText : imports_[policy].text; }
const std::string& Program::export_text(std::uint8_t number) const { return number == 0 ? kNoText : exports_[number - 1].text; }
PolicyTests Program::tests_of(std::uint16_t policy) const { return policy == kNoPolicy ? 0 : imports_[policy].tests; }

PolicyTests Program::run_tests(PolicyTests which, const PolicyNlri& nlri) const {
  PolicyTests passed = 0;
  for (PolicyTests left = which; left != 0; left &= left - 1) {
    auto i = static_cast<unsigned>(__builtin_ctzll(left));
    if (tests_[i].passes(nlri)) passed |= PolicyTests{1} << i;
  }
  return passed;
}

void Program::run(const Policy& policy, const PolicySource& source, Bytes next_hop, Bytes bytes, PolicyTests passed, PolicyOutcome& out) const {
  thread_local WorkingRoute route;
  out.accepted = true;
  out.changed = out.sets_med = false;
  out.statements.clear();
  route.open(next_hop, bytes);
  for (std::uint16_t number : policy.statements) {
    const Statement& statement = statements_[number];
    if (!statement.matches(route, source, passed)) continue;
    out.statements.push_back(number);
    if (statement.action == Action::reject) {
      out.accepted = false;
      return;
    }
    statement.apply(route, passed);
    out.sets_med = out.sets_med || statement.med.has_value();
    if (statement.action == Action::accept) break;
  }
  out.changed = route.is_changed();
  if (out.changed) route.close(out.next_hop, out.bytes);
}

void Program::import(std::uint16_t policy, const PolicySource& source, Bytes next_hop, Bytes bytes, PolicyTests passed, PolicyOutcome& out) const {
  static const Policy kAcceptsAll;
  run(policy == kNoPolicy ? kAcceptsAll : imports_[policy], source, next_hop, bytes, passed, out);
}

void Program::export_(std::uint8_t number, const PolicySource& source, Bytes next_hop, Bytes bytes, PolicyTests passed, PolicyOutcome& out) const {
  run(exports_[number - 1], source, next_hop, bytes, passed, out);
}

bool Program::run_membership(const Policy& policy, const PolicySource& source, const wire::RtMembership& nlri) const {
  for (std::uint16_t number : policy.statements) {
    const Statement& statement = statements_[number];
    if (!statement.matches_membership(source, nlri)) continue;
    count(std::span(&number, 1), 1);
    if (statement.action != Action::go_on) return statement.action == Action::accept;
  }
  return true;
}

bool Program::accepts_membership(std::uint16_t policy, const PolicySource& source, const wire::RtMembership& nlri) const {
  return policy == kNoPolicy || run_membership(imports_[policy], source, nlri);
}

bool Program::sends_membership(std::uint8_t number, const PolicySource& source, const wire::RtMembership& nlri) const {
  return number == 0 || run_membership(exports_[number - 1], source, nlri);
}

void Program::count(std::span<const std::uint16_t> statements, std::uint64_t sets) const {
  for (std::uint16_t s : statements) statements_[s].hits->fetch_add(sets, std::memory_order_relaxed);
}

std::vector<std::string> Program::names_of(const Policy& policy) const {
  std::vector<std::string> out;
  for (std::uint16_t s : policy.statements) out.push_back(statements_[s].name);
  return out;
}

std::vector<std::string> Program::import_names(std::string_view group) const {
  std::uint16_t policy = import_of(group);
  return policy == kNoPolicy ? std::vector<std::string>() : names_of(imports_[policy]);
}

std::vector<std::string> Program::export_names(std::string_view group) const {
  std::uint8_t number = export_of(group);
  return number == 0 ? std::vector<std::string>() : names_of(exports_[number - 1]);
}

std::vector<reflector::RoutePolicies::Hits> Program::hits() const {
  std::vector<Hits> out;
  for (const Statement& s : statements_) out.push_back({s.name, s.hits->load(std::memory_order_relaxed)});
  return out;
}

}  // namespace helio::policy
