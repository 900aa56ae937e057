#include "rr/policy/compile.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

namespace helio::policy {

using wire::Family;

class Compiler {
 public:
  Compiler(const Definition& definition, std::vector<DefinitionError>& errors, const Program* previous)
      : definition_(definition), errors_(errors), previous_(previous), program_(std::make_shared<Program>()) {}

  std::shared_ptr<const Program> run() {
    std::size_t before = errors_.size();
    for (std::size_t i = 0; i < definition_.sets.size(); ++i) add_set(i);
    for (std::size_t i = 0; i < definition_.statements.size(); ++i) add_statement(i);
    for (std::size_t i = 0; i < definition_.groups.size(); ++i) add_group(i);
    for (auto& number : program_->export_numbers_) program_->export_tests_ |= program_->exports_[number - 1].tests;
    return errors_.size() == before ? program_ : nullptr;
  }

 private:
  void error(std::string key, std::string message, std::string hint = {}) { errors_.push_back({std::move(key), std::move(message), std::move(hint), {}, {}}); }
  void unknown(std::string key, std::string_view what, const std::string& word, std::vector<std::string> known) {
    errors_.push_back({std::move(key), fmt::format("there is no {} \"{}\"", what, word), {}, word, std::move(known)});
  }

  // Adds each text by `add`, which is false for one that it does not understand.
  template <class Add>
  void each(const std::string& key, const std::vector<std::string>& texts, std::string_view what, std::string_view hint, Add&& add) {
    for (std::size_t i = 0; i < texts.size(); ++i)
      if (!add(texts[i])) error(fmt::format("{}[{}]", key, i), fmt::format("\"{}\" is not {}", texts[i], what), std::string(hint));
  }

  void add_set(std::size_t i) {
    const SetDefinition& d = definition_.sets[i];
    std::string key = fmt::format("policy.sets[{}]", i);
    if (program_->sets_.contains(d.name)) return error(key + ".name", fmt::format("set \"{}\" exists already", d.name));
    auto set = std::make_unique<CompiledSet>();
    auto extended = [](PatternList<std::uint64_t>& list, const std::vector<ExtendedPattern>& patterns) {
      for (const ExtendedPattern& p : patterns) list.add(p);
      return !patterns.empty();
    };
    each(key + ".route-targets", d.route_targets, "a route target", "such as \"65000:1\", \"192.0.2.1:1\", \"64512:*\" or \"*\"",
         [&](const std::string& t) { return extended(set->route_targets, parse_route_target_pattern(t)); });
    each(key + ".route-distinguishers", d.route_distinguishers, "a route distinguisher", "such as \"65000:1\", \"192.0.2.1:1\" or \"65000:*\"",
         [&](const std::string& t) { return extended(set->route_distinguishers, parse_rd_pattern(t)); });
    each(key + ".extended-communities", d.extended_communities, "an extended community", "such as \"rt:65000:1\", \"soo:65000:1\" or \"0x4004fde80000000a\"",
         [&](const std::string& t) { return extended(set->extended_communities, parse_extended_pattern(t)); });
    each(key + ".communities", d.communities, "a community", "such as \"65000:1\", \"65000:*\" or \"no-export\"", [&](const std::string& t) {
      auto pattern = parse_community_pattern(t);
      if (pattern) set->communities.add(*pattern);
      return pattern.has_value();
    });
    each(key + ".large-communities", d.large_communities, "a large community", "such as \"65000:1:2\" or \"65000:*:*\"", [&](const std::string& t) {
      auto pattern = parse_large_pattern(t);
      if (pattern) set->large_communities.add(*pattern);
      return pattern.has_value();
    });
    each(key + ".prefixes", d.prefixes, "a prefix list entry", "such as \"10.0.0.0/8\" or \"10.0.0.0/8 ge 24 le 28\"",
         [&](const std::string& t) { return set->prefixes.add(t); });
    each(key + ".next-hops", d.next_hops, "an address or a prefix", "", [&](const std::string& t) { return set->next_hops.add(t); });
    each(key + ".peers", d.peers, "an address or a prefix", "", [&](const std::string& t) { return set->peers.add(t); });
    for (std::size_t n = 0; n < d.as_paths.size(); ++n) {
      auto pattern = AsPathPattern::parse(d.as_paths[n]);
      if (pattern) set->as_paths.push_back(*pattern);
      else error(fmt::format("{}.as-paths[{}]", key, n), fmt::format("\"{}\" is not an AS path expression: {}", d.as_paths[n], pattern.error()));
    }
    set->route_targets.finish();
    set->route_distinguishers.finish();
    set->extended_communities.finish();
    set->communities.finish();
    set->large_communities.finish();
    definitions_[d.name] = &d;
    program_->sets_[d.name] = std::move(set);
  }

  // The set a condition names; its list must not be empty.
  const CompiledSet* set_of(const std::string& key, const std::string& name, std::vector<std::string> SetDefinition::*list, std::string_view list_name,
                            std::string& text) {
    if (name.empty()) return nullptr;
    auto at = program_->sets_.find(name);
    if (at == program_->sets_.end()) {
      std::vector<std::string> names;
      for (const SetDefinition& d : definition_.sets) names.push_back(d.name);
      unknown(key, "set", name, std::move(names));
      return nullptr;
    }
    const SetDefinition& d = *definitions_[name];
    if ((d.*list).empty()) error(key, fmt::format("set \"{}\" has no {}", name, list_name));
    text += fmt::format(" {}={}", list_name, d.*list);
    return at->second.get();
  }

  // The number of the test, the same for equal ones.
  PolicyTests test(const std::string& key, const Test& wanted) {
    auto at = std::find(program_->tests_.begin(), program_->tests_.end(), wanted);
    if (at == program_->tests_.end()) {
      if (program_->tests_.size() == 64) {
        error(key, "more than 64 different conditions on prefixes, route distinguishers and families", "share sets between statements");
        return 0;
      }
      at = program_->tests_.insert(at, wanted);
    }
    return PolicyTests{1} << (at - program_->tests_.begin());
  }

  void add_statement(std::size_t i) {
    const StatementDefinition& d = definition_.statements[i];
    std::string key = fmt::format("policy.statements[{}]", i), match = key + ".match.";
    Statement s;
    std::string text = fmt::format("{}:", d.name);
    if (numbers_.contains(d.name)) return error(key + ".name", fmt::format("statement \"{}\" exists already", d.name));
    s.name = d.name;
    s.action = d.action;
    s.any_route_target_in = set_of(match + "any-route-target-in", d.any_route_target_in, &SetDefinition::route_targets, "route-targets", text);
    text += " membership";
    s.any_membership_in = set_of(match + "any-membership-in", d.any_membership_in, &SetDefinition::route_targets, "route-targets", text);
    s.any_community_in = set_of(match + "any-community-in", d.any_community_in, &SetDefinition::communities, "communities", text);
    s.any_extended_community_in =
        set_of(match + "any-extended-community-in", d.any_extended_community_in, &SetDefinition::extended_communities, "extended-communities", text);
    s.any_large_community_in =
        set_of(match + "any-large-community-in", d.any_large_community_in, &SetDefinition::large_communities, "large-communities", text);
    s.as_path_in = set_of(match + "as-path-in", d.as_path_in, &SetDefinition::as_paths, "as-paths", text);
    s.next_hop_in = set_of(match + "next-hop-in", d.next_hop_in, &SetDefinition::next_hops, "next-hops", text);
    s.peer_in = set_of(match + "peer-in", d.peer_in, &SetDefinition::peers, "peers", text);
    if (const CompiledSet* set = set_of(match + "prefix-in", d.prefix_in, &SetDefinition::prefixes, "prefixes", text))
      s.tests |= test(match + "prefix-in", {Test::Kind::prefix, set, {}});
    if (const CompiledSet* set = set_of(match + "route-distinguisher-in", d.route_distinguisher_in, &SetDefinition::route_distinguishers,
                                        "route-distinguishers", text))
      s.tests |= test(match + "route-distinguisher-in", {Test::Kind::route_distinguisher, set, {}});
    s.source_role = d.source_role;
    families(key, d, s);
    sets(key, d, s);
    if (s.for_memberships) check_membership_statement(key, d, s);
    text += fmt::format(" role={} families={} action={} tests={:x} {:x}", d.source_role ? static_cast<int>(*d.source_role) : -1,
                        d.families ? d.families->bits : 0, static_cast<int>(d.action), s.tests, s.next_hop_test);
    text += fmt::format(" lp={} med={} aigp={} nh={} c+{} c-{} e+{} e-{} l+{} l-{} rt+{} rt-{} prepend={}x{}\n",
                        d.local_preference ? std::to_string(*d.local_preference) : "", d.med ? std::to_string(*d.med) : "",
                        d.aigp ? std::to_string(*d.aigp) : "", d.next_hop, d.communities_add, d.communities_remove, d.extended_communities_add,
                        d.extended_communities_remove, d.large_communities_add, d.large_communities_remove, d.route_targets_add,
                        d.route_targets_remove, s.prepend_as, s.prepend_repeat);
    inherit_hits(s);
    numbers_[d.name] = static_cast<std::uint16_t>(program_->statements_.size());
    texts_.push_back(std::move(text));
    program_->statements_.push_back(std::move(s));
  }

  // Which routes a statement is about: VPN routes, and RT membership routes only where it says so.
  void families(const std::string& key, const StatementDefinition& d, Statement& s) {
    constexpr std::uint8_t kVpn = 1 << wire::index(Family::vpnv4) | 1 << wire::index(Family::vpnv6) | 1 << wire::index(Family::evpn);
    s.for_memberships = !d.any_membership_in.empty();
    s.for_routes = d.any_membership_in.empty();
    if (!d.families) return;
    std::uint8_t vpn = d.families->bits & kVpn;
    s.for_memberships = d.families->contains(Family::rtc);
    s.for_routes = vpn != 0;
    if (s.for_routes && vpn != kVpn) s.tests |= test(key + ".match.families", {Test::Kind::families, nullptr, wire::FamilySet{vpn}});
    if (!d.any_membership_in.empty() && !s.for_memberships)
      error(key + ".match.any-membership-in", "is about rt-constrain, which families leaves out");
    if (d.families->empty()) error(key + ".match.families", "no family");
  }

  // RT membership routes are accepted or rejected by what they ask for and whom they come from.
  void check_membership_statement(const std::string& key, const StatementDefinition& d, const Statement& s) {
    bool other = s.any_route_target_in || s.any_community_in || s.any_extended_community_in || s.any_large_community_in || s.as_path_in ||
                 s.next_hop_in || !d.prefix_in.empty() || !d.route_distinguisher_in.empty();
    if (other) error(key + ".match", "rt-constrain routes are matched by any-membership-in, peer-in and source-role only");
    if (!s.for_routes && sets_something_) error(key + ".set", "nothing can be set on rt-constrain routes");
  }

  void sets(const std::string& key, const StatementDefinition& d, Statement& s) {
    std::string set = key + ".set.";
    s.local_preference = d.local_preference;
    s.med = d.med;
    s.aigp = d.aigp;
    if (!d.next_hop.empty()) {
      s.next_hop = wire::parse_ip(d.next_hop);
      if (!s.next_hop) error(set + "next-hop", fmt::format("\"{}\" is not an IPv4 or IPv6 address", d.next_hop));
      wire::FamilySet v6;
      v6.insert(Family::vpnv6);
      s.next_hop_test = test(set + "next-hop", {Test::Kind::families, nullptr, v6});
    }
    each(set + "communities-add", d.communities_add, "a community", "such as \"65000:1\" or \"no-export\"", [&](const std::string& t) {
      auto p = parse_community_pattern(t);
      if (p && p->is_exact()) s.communities_add.push_back(p->value);
      return p && p->is_exact();
    });
    each(set + "communities-remove", d.communities_remove, "a community", "such as \"65000:1\", \"65000:*\" or \"no-export\"", [&](const std::string& t) {
      auto p = parse_community_pattern(t);
      if (p) s.communities_remove.add(*p);
      return p.has_value();
    });
    each(set + "large-communities-add", d.large_communities_add, "a large community", "such as \"65000:1:2\"", [&](const std::string& t) {
      auto p = parse_large_pattern(t);
      if (p && p->is_exact()) s.large_add.push_back(p->value);
      return p && p->is_exact();
    });
    each(set + "large-communities-remove", d.large_communities_remove, "a large community", "such as \"65000:1:2\" or \"65000:*:*\"", [&](const std::string& t) {
      auto p = parse_large_pattern(t);
      if (p) s.large_remove.add(*p);
      return p.has_value();
    });
    auto extended_add = [&](const std::vector<ExtendedPattern>& patterns) {
      if (patterns.size() != 1 || !patterns[0].is_exact()) return false;
      s.extended_add.push_back(patterns[0].value);
      return true;
    };
    auto extended_remove = [&](const std::vector<ExtendedPattern>& patterns) {
      for (const ExtendedPattern& p : patterns) s.extended_remove.add(p);
      return !patterns.empty();
    };
    each(set + "route-targets-add", d.route_targets_add, "a route target", "such as \"65000:1\"",
         [&](const std::string& t) { return extended_add(parse_route_target_pattern(t)); });
    each(set + "route-targets-remove", d.route_targets_remove, "a route target", "such as \"65000:1\", \"65000:*\" or \"*\"",
         [&](const std::string& t) { return extended_remove(parse_route_target_pattern(t)); });
    each(set + "extended-communities-add", d.extended_communities_add, "an extended community", "such as \"soo:65000:1\"",
         [&](const std::string& t) { return extended_add(parse_extended_pattern(t)); });
    each(set + "extended-communities-remove", d.extended_communities_remove, "an extended community", "such as \"soo:65000:1\" or \"soo:65000:*\"",
         [&](const std::string& t) { return extended_remove(parse_extended_pattern(t)); });
    s.communities_remove.finish();
    s.extended_remove.finish();
    s.large_remove.finish();
    s.edits_communities = !d.communities_add.empty() || !d.communities_remove.empty();
    s.edits_large = !d.large_communities_add.empty() || !d.large_communities_remove.empty();
    s.edits_extended = !d.route_targets_add.empty() || !d.route_targets_remove.empty() || !d.extended_communities_add.empty() ||
                       !d.extended_communities_remove.empty();
    s.prepend_repeat = d.prepend_repeat;
    s.prepend_as = d.prepend_repeat == 0 ? 0 : d.prepend_as != 0 ? d.prepend_as : definition_.local_as;
    sets_something_ = s.local_preference || s.med || s.aigp || !d.next_hop.empty() || s.edits_communities || s.edits_large || s.edits_extended ||
                      d.prepend_repeat != 0;
    if (d.action == Action::reject && sets_something_) error(key + ".set", "has no effect: the statement rejects");
    if (d.action == Action::go_on && !sets_something_) error(key + ".action", "a statement that continues and sets nothing has no effect");
  }

  void inherit_hits(Statement& s) {
    if (previous_ != nullptr)
      for (const Statement& old : previous_->statements_)
        if (old.name == s.name) s.hits = old.hits;
    if (s.hits == nullptr) s.hits = std::make_shared<std::atomic<std::uint64_t>>(0);
  }

  Policy policy(const std::string& key, const std::vector<std::string>& names) {
    Policy out;
    for (std::size_t i = 0; i < names.size(); ++i) {
      auto at = numbers_.find(names[i]);
      if (at == numbers_.end()) {
        std::vector<std::string> known;
        for (const StatementDefinition& d : definition_.statements) known.push_back(d.name);
        unknown(fmt::format("{}[{}]", key, i), "policy statement", names[i], std::move(known));
        continue;
      }
      const Statement& s = program_->statements_[at->second];
      out.statements.push_back(at->second);
      out.tests |= s.tests | s.next_hop_test;
      out.text += texts_[at->second];
    }
    return out;
  }

  void add_group(std::size_t i) {
    const GroupDefinition& d = definition_.groups[i];
    std::string key = fmt::format("peer-groups[{}]", i);
    if (!d.import_policy.empty()) {
      program_->import_groups_[d.name] = static_cast<std::uint16_t>(program_->imports_.size());
      program_->imports_.push_back(policy(key + ".import-policy", d.import_policy));
    }
    std::uint8_t number = previous_ != nullptr ? previous_->export_of(d.name) : 0;
    if (d.export_policy.empty() && number == 0) return;
    Policy exported = policy(key + ".export-policy", d.export_policy);
    for (std::uint8_t n = 1; number == 0 && n <= reflector::kMaxExportPolicies; ++n) {
      bool used = std::find(program_->export_numbers_.begin(), program_->export_numbers_.end(), n) != program_->export_numbers_.end();
      bool was_used = previous_ != nullptr && std::find(previous_->export_numbers_.begin(), previous_->export_numbers_.end(), n) != previous_->export_numbers_.end();
      if (!used && !was_used) number = n;
    }
    if (number == 0)
      return error(key + ".export-policy", fmt::format("more than {} peer groups with an export policy", reflector::kMaxExportPolicies));
    program_->exports_[number - 1] = std::move(exported);
    program_->export_groups_[d.name] = number;
    program_->export_numbers_.push_back(number);
  }

  const Definition& definition_;
  std::vector<DefinitionError>& errors_;
  const Program* previous_;
  std::shared_ptr<Program> program_;
  std::map<std::string, const SetDefinition*, std::less<>> definitions_;
  std::map<std::string, std::uint16_t, std::less<>> numbers_;
  std::vector<std::string> texts_;
  bool sets_something_ = false;
};

std::shared_ptr<const Program> compile(const Definition& definition, std::vector<DefinitionError>& errors, const Program* previous) {
  return Compiler(definition, errors, previous).run();
}

}  // namespace helio::policy
