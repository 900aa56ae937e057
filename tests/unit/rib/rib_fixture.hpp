// One IPv4 family of a RIB shard with peers, for tests: routes in as entries, the change log out as text.
#pragma once
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <deque>
#include <string>
#include <vector>

#include "rib/family_rib.hpp"
#include "rr/wire/update_encode.hpp"

namespace helio::rib::test {

inline constexpr std::uint64_t kRd1 = 0x0000fde800000065, kRd2 = 0x0000fde800000066;
inline constexpr std::uint64_t kRt1 = 0x0002fde800000001, kRt2 = 0x0002fde800000002;

// What a test says about an attribute set; the bytes follow from it.
struct Attributes {
  std::vector<std::uint64_t> targets{kRt1};
  std::uint32_t local_pref = 100, med = 0, neighbor_as = 65001, originator_id = 0;
  std::uint8_t scope = 0;
  std::size_t community_octets = 0;  // size of a COMMUNITIES attribute, for large sets
};

class Canonical {
 public:
  explicit Canonical(const Attributes& a) {
    using wire::attr_flag::optional, wire::attr_flag::transitive;
    std::vector<std::uint8_t> value(1);
    wire::encode_attribute(bytes_, transitive, wire::attr::origin, value);
    value = {2, 1, 0, 0, 0, 0};
    store_be32(value.data() + 2, a.neighbor_as);
    wire::encode_attribute(bytes_, transitive, wire::attr::as_path, value);
    wire::encode_attribute_u32(bytes_, optional, wire::attr::med, a.med);
    wire::encode_attribute_u32(bytes_, transitive, wire::attr::local_pref, a.local_pref);
    if (a.community_octets > 0)
      wire::encode_attribute(bytes_, optional | transitive, wire::attr::communities, std::vector<std::uint8_t>(a.community_octets, 7));
    value.clear();
    for (std::uint64_t t : a.targets) ByteWriter(value).u64(t);
    wire::encode_attribute(bytes_, optional | transitive, wire::attr::extended_communities, value);
    wire::encode_next_hop(next_hop_, wire::Family::vpnv4, wire::IpAddress::v4(0x0a000001));
    targets_ = a.targets;
    view_.next_hop = next_hop_;
    view_.bytes = bytes_;
    view_.key.local_pref = a.local_pref;
    view_.key.med = a.med;
    view_.key.neighbor_as = a.neighbor_as;
    view_.key.originator_id = a.originator_id;
    view_.key.as_path_length = 1;
    view_.scope = a.scope;
    view_.targets = targets_;
  }
  Canonical(const Canonical&) = delete;
  Canonical& operator=(const Canonical&) = delete;
  const CanonicalAttributes& view() const { return view_; }

 private:
  std::vector<std::uint8_t> bytes_, next_hop_;
  std::vector<std::uint64_t> targets_;
  CanonicalAttributes view_;
};

struct Route {
  std::uint64_t rd = kRd1;
  std::uint32_t address = 0x0a000000;
  std::uint8_t length = 24;
  std::uint32_t label = 0x000641;              // the 24-bit field
  std::uint32_t path_id = 0;
  std::vector<std::uint32_t> stack{};          // label fields; more than one makes a stack
};

class RibFixture : public testing::Test, public TurnSealer {
 protected:
  using Key = PrefixKey<Address4>;

  RibFixture() : shared(*this), rib(wire::Family::vpnv4, shared) {
    for (std::uint32_t i = 0; i < 8; ++i) shared.peers.push_back({wire::IpAddress::v4(0x0a000001 + i), 0, {}});
  }
  ~RibFixture() override { rib.clear_log(rib.log()); }

  void seal_turn() override {
    ++seals;
    end_turn();
  }
  void end_turn() {
    rib.clear_log(rib.log());
    ++shared.turn;
  }

  AttributeId intern(PeerId peer, const Attributes& attributes) {
    Attributes full = attributes;
    if (full.originator_id == 0) full.originator_id = 0x0a000001 + peer.value;
    return shared.attributes.intern(peer, shared.peers[peer.value].generation, Canonical(full).view());
  }
  std::vector<NlriEntry<Address4>> entries(const std::vector<Route>& routes, bool withdrawal = false) {
    std::vector<NlriEntry<Address4>> out;
    for (const Route& r : routes) {
      NlriEntry<Address4> e;
      e.rd = r.rd;
      e.address = r.address;
      e.length = r.length;
      e.path_id = r.path_id;
      if (!withdrawal) {
        std::vector<std::uint32_t> labels = r.stack.empty() ? std::vector{r.label} : r.stack;
        std::vector<std::uint8_t>& wire = wires_.emplace_back();
        wire::VpnPrefix prefix{{r.rd}, {}, r.length, false};
        store_be32(prefix.address.data(), r.address);
        wire::encode_vpn_nlri(wire, prefix, labels);
        e.wire = wire.data();
        e.wire_length = static_cast<std::uint8_t>(wire.size());
        e.label = labels.size() == 1 ? labels[0] : kLabelStack | shared.label_stacks.acquire(Bytes(wire.data() + 1, labels.size() * 3)).value();
      }
      out.push_back(e);
    }
    return out;
  }
  void announce(PeerId peer, const Attributes& attributes, const std::vector<Route>& routes) {
    AttributeId id = intern(peer, attributes);
    auto list = entries(routes);
    rib.announce(peer, id, list);
    shared.attributes.drop_refs(id, 1);
  }
  void withdraw(PeerId peer, const std::vector<Route>& routes) {
    auto list = entries(routes, true);
    rib.withdraw(peer, list);
  }

  // The log as "+10.0.0.0/24 label peer" and "-10.0.0.0/24 peer" ("-10.0.0.0/24 peer>peer" when another path took over).
  std::vector<std::string> changes() {
    std::vector<std::string> out;
    auto peer_of = [&](ProvenanceId id) { return shared.provenances.provenance(id).peer.value; };
    auto read = [&](const std::uint8_t* base, std::uint32_t begin, std::uint32_t end, bool withdrawal, auto&& text) {
      wire::VpnNlriReader reader(Bytes(base + begin, end - begin), false, withdrawal, false);
      wire::VpnNlri n;
      wire::NlriStatus status;
      while ((status = reader.next(n)) == wire::NlriStatus::ok) {
        wire::VpnPrefix prefix{n.rd, {}, n.length, false};
        std::copy(n.prefix, n.prefix + (n.length + 7) / 8, prefix.address.begin());
        std::string labels;
        for (unsigned i = 0; i < n.label_count; ++i) labels += fmt::format("{}{:x}", i ? "," : "", load_be24(n.labels + 3 * i));
        out.push_back(text(wire::format_prefix(prefix), labels));
      }
      EXPECT_EQ(status, wire::NlriStatus::end);
    };
    for (const WithdrawRun& run : rib.log().withdrawals())
      read(rib.log().withdrawn_nlri(), run.begin, run.end, true, [&](const std::string& prefix, const std::string& labels) {
        EXPECT_EQ(labels, "800000");  // RFC 8277 §2.4
        return run.after == kNoId ? fmt::format("-{} {}", prefix, peer_of(run.before))
                                  : fmt::format("-{} {}>{}", prefix, peer_of(run.before), peer_of(run.after));
      });
    for (const AnnounceRun& run : rib.log().announcements())
      read(rib.log().announced_nlri(), run.begin, run.end, false, [&](const std::string& prefix, const std::string& labels) {
        EXPECT_EQ(run.provenance, shared.attributes[run.attributes].provenance);
        return fmt::format("+{} {} {}", prefix, labels, shared.attributes[run.attributes].peer.value);
      });
    return out;
  }

  // Lets go of what the log, the tombstones and the shards' acknowledgements still hold.
  void settle() {
    end_turn();
    rib.trim_tombstones(shared.turn);
    for (const ProvenanceEvent& e : shared.provenances.take_events()) {
      if (e.kind == ProvenanceEvent::Kind::provenance_retired) shared.provenances.release_provenance(e.id);
      if (e.kind == ProvenanceEvent::Kind::rt_set_retired) shared.provenances.release_rt_set(e.id);
    }
  }
  void expect_nothing_left() {
    settle();
    for (std::size_t kind = 0; kind < kMemoryKinds; ++kind) {
      EXPECT_EQ(shared.memory.bytes[kind], 0) << kMemoryKindNames[kind];
      EXPECT_EQ(shared.memory.objects[kind], 0) << kMemoryKindNames[kind];
    }
    EXPECT_EQ(shared.attributes.size(), 0u);
    EXPECT_EQ(shared.label_stacks.size(), 0u);
    EXPECT_EQ(rib.table_count(), 0u);
    EXPECT_EQ(shared.counters.prefixes[0], 0u);
    EXPECT_EQ(shared.counters.paths[0], 0u);
    for (const RibPeer& p : shared.peers) EXPECT_EQ(p.paths[0], 0u);
  }

  RibShared shared;
  FamilyRib<Address4> rib;
  int seals = 0;
  std::deque<std::vector<std::uint8_t>> wires_;
  PeerId a{0}, b{1}, c{2};
};

}  // namespace helio::rib::test
