// A topology file as typed values: what is to be built and what is meant to reach what. Nothing here knows BGP sessions
// or packets; the expectation (expectation.hpp) and the laboratory (lab.hpp) are both made from it, apart from each other.
#pragma once
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "bench/synthetic/vrf.hpp"
#include "rr/base/result.hpp"
#include "rr/config/problem.hpp"
#include "rr/wire/types.hpp"

namespace helio::lab {

using wire::IpAddress;
using Prefix = wire::VpnPrefix;  // with RD 0

using synthetic::LabelMode;
enum class Transport : std::uint8_t { ldp, sr, gre, mpls_in_ip };
enum class Php : std::uint8_t { implicit_null, explicit_null, off };

struct VrfSpec : synthetic::Vrf {
  std::string name, customer;
};

struct RouterSpec {  // PE, P or ASBR
  std::string name;
  bool is_pe = false;
  Asn as = 0;
  Asn open_as = 0;         // what it says in its OPENs: another one is a fault on purpose
  IpAddress loopback;
  std::vector<std::string> reflectors;
  wire::FamilySet families;
  bool add_paths = false;  // wants several paths of a prefix
  bool multipath = false;  // and uses equal ones side by side
  bool accept_own = false; // takes its own routes back where they carry ACCEPT_OWN (RFC 7611)
  std::map<std::uint64_t, std::uint64_t> rewrite_targets;  // of what comes over option B sessions
  std::vector<VrfSpec> vrfs;
  const VrfSpec* find_vrf(std::string_view name) const;
};

struct ReflectorSpec {
  std::string name;
  Asn as = 0;
  IpAddress address;
  std::optional<IpAddress> cluster_id;
  std::vector<std::string> clients;   // reflectors below this one
  std::vector<std::string> mesh;      // non-clients beside it
  std::vector<std::string> external;  // reflectors of other ASes (option C)
  wire::FamilySet families;
  unsigned paths = 1;                 // ADD-PATH towards PEs; 255: all
  std::vector<std::string> import_policy;  // of the PEs' group; the statements are in `config`
  // Targets it adds to its PEs' routes that have the first, with ACCEPT_OWN and a LOCAL_PREF that other reflectors heed.
  std::map<std::uint64_t, std::vector<std::uint64_t>> add_targets;
  std::string config;                 // more of its configuration file
};

struct LinkSpec {
  std::string a, b;
  unsigned metric = 10, mtu = 1600;
};

enum class InterAs : std::uint8_t { b, c };
struct InterAsSpec {  // beside a link between two ASes
  std::string a, b;
  InterAs option = InterAs::b;
};

struct AttachmentSpec {
  std::string pe, vrf;
  std::vector<Prefix> prefixes;  // reached through it
  bool is_uplink = true;         // the CE's default route goes there
  bool has_bgp = false;          // eBGP with the CE; else static routes
};

struct CeSpec {
  std::string name, customer;
  Asn as = 0;
  std::vector<Prefix> prefixes;
  std::vector<AttachmentSpec> attachments;
};

struct VrfLinkSpec {  // option A: two VRFs back to back, eBGP between them
  std::string pe_a, vrf_a, pe_b, vrf_b;
};

struct CustomerSpec {
  std::string name;
  bool is_any_to_any = true;  // its sites reach each other
  std::string hub;            // CE that what goes between the other sites must pass
};
struct AllowSpec {            // customers or CEs
  std::string from, to;
};

struct PhaseSpec {
  std::string name;
  std::vector<std::string> down, up;             // nodes
  std::vector<std::pair<std::string, Prefix>> withdraw, announce;  // CE and prefix
};

struct Topology {
  std::string name, description;
  Asn as = 65000;
  Transport transport = Transport::ldp;
  Php php = Php::implicit_null;
  bool is_ttl_uniform = true;
  bool has_entropy_label = false;
  std::vector<CustomerSpec> customers;
  std::vector<ReflectorSpec> reflectors;
  std::vector<RouterSpec> routers;
  std::vector<LinkSpec> links;
  std::vector<InterAsSpec> inter_as;
  std::vector<VrfLinkSpec> vrf_links;
  std::vector<CeSpec> ces;
  std::vector<AllowSpec> allowed;
  std::vector<PhaseSpec> phases;  // after the first, undisturbed one
  std::map<std::string, std::pair<double, double>> places;  // of nodes in the picture, where given

  const RouterSpec* find_router(std::string_view name) const;
  const ReflectorSpec* find_reflector(std::string_view name) const;
  const CeSpec* find_ce(std::string_view name) const;
  const CustomerSpec* find_customer(std::string_view name) const;
  // Whether packets from one CE are meant to arrive at the other.
  bool is_intended(const CeSpec& from, const CeSpec& to) const;
};

using TopologyResult = Result<Topology, std::vector<config::ConfigProblem>>;
// All problems at once, with their lines.
TopologyResult parse_topology(std::string_view text, const std::string& file);
TopologyResult load_topology(const std::string& file);

using wire::format_prefix;
bool contains(const Prefix& prefix, const IpAddress& address);
Prefix host_prefix(const IpAddress& address);  // 32 or 128 bits
IpAddress first_host(const Prefix& prefix);  // the address with the last bit set

}  // namespace helio::lab
