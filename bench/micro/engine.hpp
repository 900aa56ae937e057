// Shards without sockets: peers are established, bodies go in, output is taken as if written to sockets.
#pragma once
#include <atomic>
#include <chrono>
#include <memory>
#include <vector>

#include "bench/micro/loads.hpp"
#include "rr/reflector/shard.hpp"

namespace helio::bench {

struct QuietControl final : session::SessionControl {
  void output_ready(PeerId) override {}
  void close(PeerId, wire::Notification, session::CloseReason) override { ++closed; }
  void wake() override {}
  void send_message(PeerId, std::vector<std::uint8_t>) override {}
  std::atomic<int> closed{0};
};

class Engine {
 public:
  explicit Engine(std::uint32_t shards);

  // The peer lives on shard id % shards. With RTC the peer gets nothing before its memberships are there.
  void establish(std::uint32_t id, bool rtc);
  reflector::Shard& shard(std::uint32_t i) { return *shards_[i]; }
  std::uint32_t shards() const { return static_cast<std::uint32_t>(shards_.size()); }
  reflector::ShardMailboxes& mailboxes() { return mailboxes_; }
  int closed() const { return control_.closed.load(); }

  // Takes all output of the peer; returns how many /24 routes with one label were announced in it.
  std::uint64_t drain(std::uint32_t id);
  // Turns of all shards, draining every peer below `peers`, until nothing is left to do.
  void settle(std::uint32_t peers);

 private:
  QuietControl control_;
  reflector::ShardMailboxes mailboxes_;
  std::shared_ptr<session::GroupSettings> group_;
  std::vector<std::unique_ptr<reflector::Shard>> shards_;
};

}  // namespace helio::bench
