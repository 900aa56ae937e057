// Real shards with nothing around them, for tests of what no peer can see: counters, closes, shared output. One thread
// takes all turns; time stands still unless told.
#pragma once
#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <set>

#include "rr/reflector/shard.hpp"
#include "rr/wire/update_encode.hpp"

namespace helio::reflector::test {

struct Closing {
  wire::Notification notification;
  session::CloseReason reason;
};

class Shards {
 public:
  explicit Shards(std::uint32_t count = 1, EngineSettings settings = {}) : mailboxes_(count, settings.evpn) {
    settings.local_as = 65000;
    settings.router_id = settings.cluster_id = 0x0aff0001;
    settings.shards = count;
    for (std::uint32_t i = 0; i < count; ++i) {
      controls_.push_back(std::make_unique<Control>(*this));
      shards_.push_back(std::make_unique<Shard>(ShardId(i), settings, mailboxes_, *controls_.back()));
    }
    turns();
  }

  Shard& shard(std::uint32_t i) { return *shards_[i]; }
  Shard& shard_of(std::uint32_t peer) { return *shards_[peer % shards_.size()]; }
  std::size_t count() const { return shards_.size(); }
  session::TimePoint now() const { return now_; }
  void pass(std::chrono::milliseconds time) {
    now_ += time;
    turns();
  }
  void turns(int rounds = 30) {
    for (int i = 0; i < rounds; ++i)
      for (auto& shard : shards_) shard->run_turn(now_);
  }

  static std::shared_ptr<session::GroupSettings> group() {
    auto group = std::make_shared<session::GroupSettings>();
    group->name = "pe";
    group->local_as = group->peer_as = 65000;
    group->router_id = group->cluster_id = 0x0aff0001;
    return group;
  }
  static session::EstablishedPeer pe(std::uint32_t id, std::shared_ptr<const session::GroupSettings> group, bool rtc = false) {
    session::EstablishedPeer peer;
    peer.peer = PeerId(id);
    peer.address = wire::IpAddress::v4(0x0a000001 + id);
    peer.local_address = wire::IpAddress::v4(0x0aff0001);
    peer.router_id = 0x0a000001 + id;
    peer.peer_as = 65000;
    peer.families.insert(wire::Family::vpnv4);
    peer.families.insert(wire::Family::vpnv6);
    if (rtc) peer.families.insert(wire::Family::rtc);
    peer.route_refresh = true;
    peer.group = std::move(group);
    return peer;
  }
  void up(const session::EstablishedPeer& peer) {
    shard_of(peer.peer.value).on_established(peer, now_);
    turns();
  }

  static std::vector<std::uint8_t> attributes(const std::string& rt) {
    std::vector<std::uint8_t> out, rts(8);
    std::uint8_t igp = 0;
    wire::encode_attribute(out, 0x40, wire::attr::origin, Bytes(&igp, 1));
    wire::encode_attribute(out, 0x40, wire::attr::as_path, {});
    wire::encode_attribute_u32(out, 0x40, wire::attr::local_pref, 100);
    store_be64(rts.data(), wire::parse_rt(rt)->value);
    wire::encode_attribute(out, 0xc0, wire::attr::extended_communities, rts);
    return out;
  }
  static wire::VpnPrefix prefix(const std::string& rd, std::uint32_t n) {
    wire::VpnPrefix out;
    out.rd = *wire::parse_rd(rd);
    out.length = 24;
    store_be32(out.address.data(), n << 8);
    return out;
  }
  // `count` prefixes from number `first` on. One UPDATE, or several.
  void announce(std::uint32_t peer, const std::string& rd, std::uint32_t first, std::uint32_t count, const std::string& rt = "65000:1") {
    std::vector<std::uint8_t> nlri, next_hop;
    const std::uint32_t label = wire::label_field(100);
    for (std::uint32_t i = 0; i < count; ++i) wire::encode_vpn_nlri(nlri, prefix(rd, first + i), std::span(&label, 1));
    wire::encode_next_hop(next_hop, wire::Family::vpnv4, wire::IpAddress::v4(0xc0000201));
    std::vector<std::uint8_t> bytes;
    ASSERT_TRUE(wire::encode_announcements(bytes, wire::Family::vpnv4, next_hop, attributes(rt), nlri));
    receive(peer, bytes);
  }
  void withdraw(std::uint32_t peer, const std::string& rd, std::uint32_t first, std::uint32_t count) {
    std::vector<std::uint8_t> nlri, bytes;
    for (std::uint32_t i = 0; i < count; ++i) wire::encode_vpn_withdraw(nlri, prefix(rd, first + i));
    wire::encode_withdrawals(bytes, wire::Family::vpnv4, nlri);
    receive(peer, bytes);
  }
  void join(std::uint32_t peer, const std::vector<std::string>& rts) {
    std::vector<std::uint8_t> nlri, bytes;
    for (const std::string& rt : rts) wire::encode_rtc_nlri(nlri, {96, 65000, wire::parse_rt(rt)->value});
    const std::uint8_t next_hop[4] = {10, 0, 0, 1};
    ASSERT_TRUE(wire::encode_announcements(bytes, wire::Family::rtc, next_hop, attributes("65000:1"), nlri));
    receive(peer, bytes);
  }
  void end_of_rib(std::uint32_t peer, wire::Family family) {
    std::vector<std::uint8_t> bytes;
    wire::encode_end_of_rib(bytes, family);
    receive(peer, bytes);
  }
  // Whole UPDATE messages.
  void receive(std::uint32_t peer, Bytes messages) {
    while (!messages.empty()) {
      std::size_t size = load_be16(messages.data() + 16);
      answer = shard_of(peer).on_update(PeerId(peer), messages.subspan(wire::kHeaderSize, size - wire::kHeaderSize));
      messages = messages.subspan(size);
    }
    turns();
  }

  // Routes of a peer in all shards.
  std::uint64_t paths(std::uint32_t peer, wire::Family family = wire::Family::vpnv4) {
    std::uint64_t n = 0;
    for (auto& shard : shards_) {
      const auto& peers = shard->rib().shared().peers;
      if (peer < peers.size()) n += peers[peer].paths[wire::index(family)];
    }
    return n;
  }
  std::uint64_t stale(std::uint32_t peer) {
    std::uint64_t n = 0;
    for (auto& shard : shards_) {
      const auto& peers = shard->rib().shared().peers;
      if (peer < peers.size()) n += peers[peer].stale[wire::index(wire::Family::vpnv4)];
    }
    return n;
  }
  template <class Pick>
  std::uint64_t count(Pick pick) {
    std::uint64_t n = 0;
    for (auto& shard : shards_) n += pick(shard->counters()).get();
    return n;
  }
  // What waits for the peer, piece by piece, and then nothing.
  struct Output {
    std::vector<const void*> pieces;
    std::vector<std::uint8_t> bytes;
  };
  Output take(std::uint32_t peer) {
    Output out;
    Shard& shard = shard_of(peer);
    std::array<iovec, 16> parts{};
    while (shard.has_output(PeerId(peer))) {
      std::size_t used = shard.gather(PeerId(peer), parts, 1u << 20), bytes = 0;
      for (std::size_t i = 0; i < used; ++i) {
        const auto* p = static_cast<const std::uint8_t*>(parts[i].iov_base);
        out.pieces.push_back(p);
        out.bytes.insert(out.bytes.end(), p, p + parts[i].iov_len);
        bytes += parts[i].iov_len;
      }
      shard.consumed(PeerId(peer), bytes);
    }
    turns();
    return out;
  }

  std::map<std::uint32_t, Closing> closed;
  std::optional<wire::Notification> answer;  // to the last UPDATE
  session::TimePoint clock{};                 // for measuring; none at first
  std::set<std::uint32_t> unblocked;          // whose sockets would take more

 private:
  class Control final : public session::SessionControl {
   public:
    explicit Control(Shards& shards) : shards_(shards) {}
    void output_ready(PeerId) override {}
    void close(PeerId peer, wire::Notification notification, session::CloseReason reason) override {
      shards_.closed.insert_or_assign(peer.value, Closing{std::move(notification), reason});
    }
    bool is_blocked(PeerId peer) override { return !shards_.unblocked.contains(peer.value); }
    void wake() override {}
    session::TimePoint clock() const override { return shards_.clock; }
    void send_message(PeerId, std::vector<std::uint8_t>) override {}

   private:
    Shards& shards_;
  };

  ShardMailboxes mailboxes_;
  std::vector<std::unique_ptr<Control>> controls_;
  std::vector<std::unique_ptr<Shard>> shards_;
  session::TimePoint now_{std::chrono::seconds(1000)};
};

}  // namespace helio::reflector::test
