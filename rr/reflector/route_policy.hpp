// RoutePolicies: what the engine asks of the policies of a configuration; rr/policy implements it. Immutable but for hit
// counters, shared by all threads, replaced as a whole by a reload.
//
// A policy is applied once per attribute set. What it matches on the NLRI itself (inner prefix, RD, family) are its
// tests, numbered over all policies: they are run per NLRI where a policy has any, and the set of those passed is part
// of what a result is remembered under.
#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "rr/base/bytes.hpp"
#include "rr/session/settings.hpp"
#include "rr/wire/types.hpp"

namespace helio::reflector {

using PolicyTests = std::uint64_t;  // a bit per test
inline constexpr std::size_t kMaxExportPolicies = 16;

// Who announced a route.
struct PolicySource {
  wire::IpAddress address;
  session::PeerRole role = session::PeerRole::client;
};

// An NLRI as the tests see it; the address left-aligned.
struct PolicyNlri {
  wire::Family family = wire::Family::vpnv4;
  std::uint64_t rd = 0;
  unsigned __int128 address = 0;
  std::uint8_t length = 0;
};

// What a policy made of attributes; kept by the caller and reused.
struct PolicyOutcome {
  bool accepted = true;
  bool changed = false;                    // next_hop and bytes are filled
  bool sets_med = false;                   // it is the policy's word, so it goes to eBGP peers too
  std::vector<std::uint8_t> next_hop, bytes;
  std::vector<std::uint16_t> statements;   // that matched, in order
};

class RoutePolicies {
 public:
  static constexpr std::uint16_t kNoPolicy = 0xffff;

  virtual ~RoutePolicies() = default;
  // The import policy of a peer group, kNoPolicy when it has none.
  virtual std::uint16_t import_of(std::string_view group) const = 0;
  // 1..kMaxExportPolicies, 0 when the group has none. A group keeps its number over reloads, also when its policy becomes
  // empty.
  virtual std::uint8_t export_of(std::string_view group) const = 0;
  // Export numbers that are in use.
  virtual std::span<const std::uint8_t> exports() const = 0;
  // Equal texts do equal things to what the import policy (or the export number) is applied to.
  virtual const std::string& import_text(std::uint16_t policy) const = 0;
  virtual const std::string& export_text(std::uint8_t number) const = 0;

  // Tests that can matter for what peers with this import policy announce, and those of all export policies.
  virtual PolicyTests tests_of(std::uint16_t import_policy) const = 0;
  virtual PolicyTests export_tests() const = 0;
  // Those of `which` that the NLRI passes.
  virtual PolicyTests run_tests(PolicyTests which, const PolicyNlri& nlri) const = 0;

  // `bytes`: canonical attributes.
  virtual void import(std::uint16_t policy, const PolicySource& source, Bytes next_hop, Bytes bytes, PolicyTests passed, PolicyOutcome& out) const = 0;
  virtual void export_(std::uint8_t number, const PolicySource& source, Bytes next_hop, Bytes bytes, PolicyTests passed, PolicyOutcome& out) const = 0;
  // RT membership routes (RFC 4684): accepted from, or sent to, peers of the group?
  virtual bool accepts_membership(std::uint16_t policy, const PolicySource& source, const wire::RtMembership& nlri) const = 0;
  virtual bool sends_membership(std::uint8_t number, const PolicySource& source, const wire::RtMembership& nlri) const = 0;

  // Attribute sets (or memberships) that statements matched; any thread.
  virtual void count(std::span<const std::uint16_t> statements, std::uint64_t sets) const = 0;
  virtual const std::string& statement_name(std::uint16_t statement) const = 0;

  // For views: the statements of a group's policies by name, and how many attribute sets each statement has matched.
  virtual std::vector<std::string> import_names(std::string_view group) const = 0;
  virtual std::vector<std::string> export_names(std::string_view group) const = 0;
  struct Hits {
    std::string name;
    std::uint64_t sets = 0;
  };
  virtual std::vector<Hits> hits() const = 0;
};

}  // namespace helio::reflector
