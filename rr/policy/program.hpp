// The compiled form of a definition: sets and statements looked up and parsed, policies as lists of statements, tests
// numbered. This is what the engine runs (rr/reflector/route_policy.hpp).
//
// A statement whose conditions all hold sets what it sets and then ends the policy (accept, reject) or goes on to the
// next one (continue), which sees what was set. A route that no statement ends is accepted.
#pragma once
#include <atomic>
#include <map>
#include <memory>

#include "rr/policy/as_path_pattern.hpp"
#include "rr/policy/definition.hpp"
#include "rr/policy/patterns.hpp"
#include "rr/policy/working_route.hpp"
#include "rr/reflector/route_policy.hpp"

namespace helio::policy {

using reflector::PolicyNlri;
using reflector::PolicyOutcome;
using reflector::PolicySource;
using reflector::PolicyTests;

struct CompiledSet {
  PatternList<std::uint64_t> route_targets, route_distinguishers, extended_communities;
  PatternList<std::uint32_t> communities;
  PatternList<unsigned __int128> large_communities;
  PrefixList prefixes;
  std::vector<AsPathPattern> as_paths;
  AddressList next_hops, peers;
};

// A condition on the NLRI itself.
struct Test {
  enum class Kind : std::uint8_t { prefix, route_distinguisher, families };
  Kind kind = Kind::prefix;
  const CompiledSet* set = nullptr;
  wire::FamilySet families;
  bool operator==(const Test&) const = default;
  bool passes(const PolicyNlri& nlri) const;
};

struct Statement {
  std::string name;
  const CompiledSet *any_route_target_in = nullptr, *any_membership_in = nullptr, *any_community_in = nullptr,
                    *any_extended_community_in = nullptr, *any_large_community_in = nullptr, *as_path_in = nullptr, *next_hop_in = nullptr,
                    *peer_in = nullptr;
  std::optional<session::PeerRole> source_role;
  PolicyTests tests = 0;              // all must be passed
  bool for_routes = true, for_memberships = false;
  Action action = Action::accept;
  std::optional<std::uint32_t> local_preference, med;
  std::optional<std::uint64_t> aigp;
  std::optional<wire::IpAddress> next_hop;
  PolicyTests next_hop_test = 0;      // passed by VPNv6, whose next hop has another form
  PatternList<std::uint32_t> communities_remove;
  PatternList<std::uint64_t> extended_remove;
  PatternList<unsigned __int128> large_remove;
  std::vector<std::uint32_t> communities_add;
  std::vector<std::uint64_t> extended_add;
  std::vector<unsigned __int128> large_add;
  bool edits_communities = false, edits_extended = false, edits_large = false;
  Asn prepend_as = 0;
  std::uint32_t prepend_repeat = 0;
  std::shared_ptr<std::atomic<std::uint64_t>> hits;

  bool matches(WorkingRoute& route, const PolicySource& source, PolicyTests passed) const;
  void apply(WorkingRoute& route, PolicyTests passed) const;
  bool matches_membership(const PolicySource& source, const wire::RtMembership& nlri) const;
};

struct Policy {
  std::vector<std::uint16_t> statements;
  PolicyTests tests = 0;
  std::string text;  // everything it does, sets spelled out
};

class Program final : public reflector::RoutePolicies {
 public:
  std::uint16_t import_of(std::string_view group) const override;
  std::uint8_t export_of(std::string_view group) const override;
  std::span<const std::uint8_t> exports() const override { return export_numbers_; }
  const std::string& import_text(std::uint16_t policy) const override;
  const std::string& export_text(std::uint8_t number) const override;
  PolicyTests tests_of(std::uint16_t import_policy) const override;
  PolicyTests export_tests() const override { return export_tests_; }
  PolicyTests run_tests(PolicyTests which, const PolicyNlri& nlri) const override;
  void import(std::uint16_t policy, const PolicySource& source, Bytes next_hop, Bytes bytes, PolicyTests passed, PolicyOutcome& out) const override;
  void export_(std::uint8_t number, const PolicySource& source, Bytes next_hop, Bytes bytes, PolicyTests passed, PolicyOutcome& out) const override;
  bool accepts_membership(std::uint16_t policy, const PolicySource& source, const wire::RtMembership& nlri) const override;
  bool sends_membership(std::uint8_t number, const PolicySource& source, const wire::RtMembership& nlri) const override;
  void count(std::span<const std::uint16_t> statements, std::uint64_t sets) const override;
  const std::string& statement_name(std::uint16_t statement) const override { return statements_[statement].name; }

  std::vector<std::string> import_names(std::string_view group) const override;
  std::vector<std::string> export_names(std::string_view group) const override;
  std::vector<Hits> hits() const override;

 private:
  friend class Compiler;
  void run(const Policy& policy, const PolicySource& source, Bytes next_hop, Bytes bytes, PolicyTests passed, PolicyOutcome& out) const;
  std::vector<std::string> names_of(const Policy& policy) const;
  bool run_membership(const Policy& policy, const PolicySource& source, const wire::RtMembership& nlri) const;

  std::map<std::string, std::unique_ptr<CompiledSet>, std::less<>> sets_;
  std::vector<Statement> statements_;
  std::vector<Test> tests_;
  std::vector<Policy> imports_;
  std::map<std::string, std::uint16_t, std::less<>> import_groups_;
  std::map<std::string, std::uint8_t, std::less<>> export_groups_;
  Policy exports_[reflector::kMaxExportPolicies];
  std::vector<std::uint8_t> export_numbers_;
  PolicyTests export_tests_ = 0;
};

}  // namespace helio::policy
