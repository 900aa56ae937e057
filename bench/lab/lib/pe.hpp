// A PE of the laboratory (RFC 4364, RFC 4659): VRFs, label allocation, import and export by route target, RT-Constrain both
// ways (RFC 4684), eBGP or static routes with CEs, and the ASBR of option B, which swaps labels between two ASes.
//
//   CE routes ──► VRF ──export RT, label──► routes to reflectors (only those whose RTs the reflector asked for)
//   routes from reflectors ──import RT──► best per VRF prefix ──► Wishes: FIB of the VRF, LFIB
//
// Everything is computed anew when something changed: a laboratory is small, and what follows from the state cannot be stale.
#pragma once
#include <set>
#include <tuple>

#include "bench/lab/lib/session_end.hpp"
#include "bench/lab/lib/underlay.hpp"
#include "bench/synthetic/messages.hpp"
#include "bench/synthetic/updates.hpp"

namespace helio::lab {

using synthetic::family_of;
using synthetic::has_as;
using synthetic::Path;
using synthetic::PathKey;

// The addresses of a link to a CE (or of two VRFs back to back).
struct LinkAddresses {
  IpAddress own, peer, own6, peer6;
};

class Pe : public SessionEnd::User {
 public:
  struct VrfPort {
    std::size_t vrf = 0;  // of spec().vrfs
    InterfaceId port = 0;
    LinkAddresses addresses;
    Asn peer_as = 0;
    std::vector<Prefix> statics;
    std::unique_ptr<SessionEnd> session;
    std::map<PathKey, Path> learned;
    std::map<Prefix, Path> sent;
  };
  struct Upstream {  // a reflector, or the ASBR of another AS
    std::string name;
    std::unique_ptr<SessionEnd> end;
    bool is_external = false;
    InterfaceId out = 0;  // external: the link
    IpAddress local;      // our next hop there
    Asn peer_as = 0;
    std::map<PathKey, Path> received;
    std::map<Prefix, Path> sent;
    std::set<wire::RtMembership> wanted;  // what the reflector asks for
    std::set<wire::RtMembership> asked;   // what we asked for
    bool said_end_of_rib = false;
  };

  Pe(const Topology& topology, std::size_t index, Router& router, const Underlay& underlay);

  const RouterSpec& spec() const { return topology_.routers[index_]; }
  VrfId vrf_id(std::size_t vrf) const { return vrf_ids_[vrf]; }
  VrfPort& add_vrf_port(std::size_t vrf, InterfaceId port, const LinkAddresses& addresses, std::vector<Prefix> statics, Asn bgp_peer);
  Upstream& add_reflector(const ReflectorSpec& reflector);
  Upstream& add_asbr(const RouterSpec& peer, InterfaceId out, const IpAddress& local);
  const std::vector<std::unique_ptr<VrfPort>>& vrf_ports() const { return ports_; }
  const std::vector<std::unique_ptr<Upstream>>& upstreams() const { return upstreams_; }
  void set_statics(std::size_t port, std::vector<Prefix> statics);

  // Something around it changed: links, the core.
  void mark_changed() { is_changed_ = true; }
  // Computes and sends what follows from the changes. False: nothing had changed.
  bool turn();
  // What its tables should hold, beside the core's.
  const Wishes& wishes() const { return wishes_; }
  // Routes it exports, as of the last turn.
  const std::map<Prefix, Path>& exports() const { return export_paths_; }

  void on_established(SessionEnd& end, const session::Negotiated& negotiated) override;
  std::optional<wire::Notification> on_update(SessionEnd& end, Bytes body) override;
  void on_closed(SessionEnd& end) override;

 private:
  struct Local {
    std::vector<const VrfPort*> ports;
    Path path;
  };
  struct Candidate {
    enum class From : std::uint8_t { vrf, other_vrf, external, internal } from = From::internal;
    const Path* path = nullptr;
    const Local* local = nullptr;
    const Upstream* via = nullptr;
    unsigned metric = 0;
    std::uint32_t path_id = 0;
    std::vector<forwarding::Way> ways;
  };
  using LabelKey = std::tuple<int, std::size_t, Prefix, std::vector<std::uint32_t>>;

  void collect_locals();
  void make_exports();
  void choose_routes();
  void relay();
  void send_memberships(Upstream& up);
  void send_routes(Upstream& up);
  void send_to_neighbor(VrfPort& port);
  std::vector<Candidate> candidates(std::size_t vrf, const Prefix& prefix) const;
  // RFC 7611 §2: a route of ours that a reflector sent back, for another VRF than the one it is from.
  bool is_own(const Path& path) const { return path.originator == spec().loopback.v4_value(); }
  std::optional<Candidate> own_again(std::size_t vrf, const Prefix& key, const Path& path) const;
  std::optional<Candidate> remote(const Upstream& up, const PathKey& key, const Path& path) const;
  static bool is_better(const Candidate& a, const Candidate& b);
  static bool is_equal(const Candidate& a, const Candidate& b);
  static std::vector<forwarding::Way> ways_of(const Local& local);
  bool is_asbr() const;

  const Topology& topology_;
  std::size_t index_;
  Router& router_;
  const Underlay& underlay_;
  std::vector<VrfId> vrf_ids_;
  std::vector<std::unique_ptr<VrfPort>> ports_;
  std::vector<std::unique_ptr<Upstream>> upstreams_;
  synthetic::LabelSpace<LabelKey> labels_;
  bool is_changed_ = true;

  // Of the last turn.
  std::vector<std::map<Prefix, Local>> locals_;
  struct Export {
    std::size_t vrf;
    const Local* local;
  };
  std::map<Prefix, Export> exports_;
  std::map<Prefix, Path> export_paths_;
  std::vector<std::map<Prefix, Candidate>> best_;
  std::map<Prefix, Path> to_internal_, to_external_;  // option B
  Wishes wishes_;
};

// UPDATE Message Error, Malformed Attribute List.
wire::Notification malformed_update();
// Group settings of an end of the laboratory's own.
std::shared_ptr<const session::GroupSettings> own_group(Asn as, const IpAddress& router_id, Asn peer_as, wire::FamilySet families, bool add_paths = false);

}  // namespace helio::lab
