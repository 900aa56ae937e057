#include "bench/micro/engine.hpp"

#include <array>

namespace helio::bench {
namespace {

// Routes announced in whole messages of the bench's own shape: MP_REACH first, /24 with one label, 15 octets each.
std::uint64_t announced_routes(const std::uint8_t* p, std::size_t length) {
  std::uint64_t routes = 0;
  for (const std::uint8_t* end = p + length; p < end; p += load_be16(p + 16)) {
    if (load_be16(p + 16) <= 23 || p[24] != wire::attr::mp_reach || p[29] != 128) continue;  // SAFI: VPN only
    routes += (load_be16(p + 25) - 5u - 12u) / 15u;
  }
  return routes;
}

}  // namespace

Engine::Engine(std::uint32_t shards) : mailboxes_(shards), group_(std::make_shared<session::GroupSettings>()) {
  group_->local_as = group_->peer_as = 65000;
  group_->router_id = group_->cluster_id = 0x0a0000fe;
  reflector::EngineSettings settings;
  settings.local_as = 65000;
  settings.router_id = settings.cluster_id = 0x0a0000fe;
  settings.shards = shards;
  for (std::uint32_t i = 0; i < shards; ++i) shards_.push_back(std::make_unique<reflector::Shard>(ShardId{i}, settings, mailboxes_, control_));
}

void Engine::establish(std::uint32_t id, bool rtc) {
  session::EstablishedPeer peer;
  peer.peer = PeerId{id};
  peer.address = wire::IpAddress::v4(0x0a010000 + id);
  peer.local_address = wire::IpAddress::v4(0x0a0000fe);
  peer.router_id = 0x0a010000 + id;
  peer.peer_as = 65000;
  peer.families.insert(wire::Family::vpnv4);
  if (rtc) peer.families.insert(wire::Family::rtc);
  peer.group = group_;
  shard(id % shards()).on_established(peer, std::chrono::steady_clock::now());
}

std::uint64_t Engine::drain(std::uint32_t id) {
  reflector::Shard& mine = shard(id % shards());
  std::array<iovec, 256> out;
  std::uint64_t routes = 0;
  while (std::size_t n = mine.gather(PeerId{id}, out, SIZE_MAX)) {
    std::size_t bytes = 0;
    for (std::size_t i = 0; i < n; ++i) {
      routes += announced_routes(static_cast<const std::uint8_t*>(out[i].iov_base), out[i].iov_len);
      bytes += out[i].iov_len;
    }
    mine.consumed(PeerId{id}, bytes);
  }
  return routes;
}

void Engine::settle(std::uint32_t peers) {
  for (int quiet = 0; quiet < 3;) {
    bool busy = false;
    for (std::uint32_t s = 0; s < shards(); ++s) {
      busy |= shard(s).run_turn(std::chrono::steady_clock::now()).more_work;
      for (std::uint32_t t = 0; t < shards(); ++t) busy |= mailboxes_.has_mail(t);
    }
    for (std::uint32_t id = 0; id < peers; ++id) busy |= drain(id) > 0;
    quiet = busy ? 0 : quiet + 1;
  }
}

}  // namespace helio::bench
