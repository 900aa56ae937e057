// The laboratory: every node of a topology in one process, links and sessions in memory.
//
//   CE ══ PE ══ P ══ P ══ PE ══ CE      packets: Router::forwarder, link by link
//    └eBGP─┘ └──── RR ────┘              sessions: SessionEnd to SessionEnd, heliod's engine in ReflectorNode
//
// converge() carries octets between session ends and lets everybody take turns until nothing moves. Deterministic: no
// threads, and the clock stands still but for what a reflector waits for.
#pragma once
#include "bench/lab/lib/ce.hpp"
#include "bench/lab/lib/heliods.hpp"
#include "bench/lab/lib/reflector_node.hpp"

namespace helio::lab {

// A packet at one node on its way, and how it left.
struct Hop {
  std::size_t node = 0;
  std::vector<std::uint8_t> octets;  // as it left, or as it was when it ended here
  forwarding::Protocol protocol = forwarding::Protocol::ipv4;
  std::vector<forwarding::LabelEntry> labels;
  std::uint8_t ttl = 0;              // of the IP header
};
struct Walk {
  enum class End : std::uint8_t { delivered, dropped, answered, lost } end = End::lost;  // answered: an ICMP error takes its place
  std::vector<Hop> hops;             // the source first
  forwarding::Drop reason = forwarding::Drop::none;
  std::size_t last = 0;              // node where it ended
  std::vector<Walk> fragments;       // what was cut off on the way, each from the node after that
};

class Lab {
 public:
  // The topology is copied: phases change it. Throws std::runtime_error when a reflector's configuration is refused.
  // `heliod`: the reflectors are processes of this binary, on the loopback; empty: heliod's engine, in memory. Where
  // processes are waited for, here and in converge(), `while_waiting` is called; it may throw.
  explicit Lab(const Topology& topology, std::uint32_t shards = 1, const std::string& heliod = {}, std::function<void()> while_waiting = {});
  ~Lab();

  // Until nothing moves. False: it did not come to rest within `most_rounds`.
  bool converge(std::size_t most_rounds = 200000);
  void apply(const PhaseSpec& phase);
  void set_node(const std::string& name, bool up);
  void set_announced(const std::string& ce, const Prefix& prefix, bool announced);
  // A new RT plan for a VRF of a PE, as an operator would type it.
  void set_targets(const std::string& pe, const std::string& vrf, const std::vector<std::uint64_t>& import_targets, const std::vector<std::uint64_t>& export_targets);

  // From the address of a CE to another address, hop by hop.
  Walk send(std::size_t ce, const IpAddress& source, const IpAddress& destination, std::uint8_t ttl = 64, std::size_t size = 56, bool may_not_fragment = false);
  // A packet that stands at a node, as if that node had made it (`in` null) or just received it. When it is cut into
  // fragments it arrives where all of them do.
  Walk walk(std::size_t node, forwarding::Packet& packet, std::optional<InterfaceId> in, bool follow_icmp = false);

  const Topology& topology() const { return topology_; }
  bool is_up(std::string_view node) const { return !down_.contains(node); }
  std::size_t node_of_ce(std::size_t ce) const { return topology_.routers.size() + ce; }
  Router& node(std::size_t i) { return *nodes_[i]; }
  std::size_t node_count() const { return nodes_.size(); }
  Pe* pe(std::size_t router) { return pes_[router].get(); }
  Ce& ce(std::size_t i) { return *ces_[i]; }
  const Underlay& underlay() const { return *underlay_; }
  const std::string& reflector_text(std::size_t i) const { return reflector_texts_[i]; }
  ReflectorNode& reflector(std::size_t i) { return *reflectors_[i]; }

  struct Session {
    std::string name_a, name_b;
    SessionEnd* a = nullptr;  // null: that side's configuration has no such neighbour
    SessionEnd* b = nullptr;
    bool is_remote = false;   // the other end is in a heliod process; b is null
    std::size_t reflector = 0;
    int fd = -1;
    bool is_up() const { return a != nullptr && a->is_established() && (is_remote || (b != nullptr && b->is_established())); }
    std::string trouble() const;  // why not
  };
  const std::vector<Session>& sessions() const { return sessions_; }
  Heliods* heliods() { return heliods_.get(); }
  // Towards heliod processes, whose hold timers run.
  void send_keepalives();

 private:
  void build_routers();
  void build_ces();
  void build_reflectors();
  void open_sessions();
  void make_reflector(std::size_t i);
  std::pair<InterfaceId, InterfaceId> link(std::size_t a, std::size_t b, forwarding::Interface of_a, forwarding::Interface of_b);
  LinkAddresses next_addresses();
  void refresh_links();
  void everything_changed();
  bool round(bool is_in_step);
  bool carry_remote(Session& session);
  void disconnect(Session& session);
  bool await_heliods();

  Topology topology_;
  std::uint32_t shards_;
  std::function<void()> while_waiting_;
  std::set<std::string, std::less<>> down_;
  std::vector<std::unique_ptr<Router>> nodes_;  // routers, then CEs
  std::unique_ptr<Underlay> underlay_;
  std::vector<std::unique_ptr<Pe>> pes_;        // by router; null for P
  std::vector<std::unique_ptr<Ce>> ces_;
  std::vector<std::unique_ptr<ReflectorNode>> reflectors_;  // empty with heliod processes
  std::unique_ptr<Heliods> heliods_;
  std::vector<std::string> reflector_texts_;
  std::vector<config::Config> reflector_configs_;
  std::vector<Session> sessions_;
  std::vector<bool> p_changed_;
  struct AttachmentPort {
    std::size_t ce, attachment, router, pe_port;
  };
  std::vector<AttachmentPort> attachments_;
  std::uint32_t next_link_ = 0;
  session::TimePoint now_{std::chrono::hours{1}};
};

}  // namespace helio::lab
