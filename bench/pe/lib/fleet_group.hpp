// The sessions of all PEs spread over threads: PE p belongs to the fleet p % threads. A turn of the group is
// one turn of every fleet at the same time; between turns nothing runs, so that whoever turns the group may
// look at everything without locks. With one thread there is no second one.
//
//   turn() ──► wait on all epolls ──► lane 0 in this thread ─┐
//                                 └─► lane 1.. in their own ─┴─► all done
#pragma once
#include <atomic>
#include <memory>
#include <thread>
#include <vector>

#include "bench/pe/lib/fleet.hpp"

namespace helio::pe {

class FleetGroup {
 public:
  // The listener is called by the thread of the PE, during turns only.
  FleetGroup(const FleetOptions& options, const std::vector<std::uint32_t>& addresses,
             FleetListener& listener, std::uint32_t threads);
  ~FleetGroup();
  FleetGroup(const FleetGroup&) = delete;
  FleetGroup& operator=(const FleetGroup&) = delete;

  // As in Fleet; from the thread of turn() between turns, or from the listener about its own PE.
  void start(std::uint32_t pe) { fleet_of(pe).start(at(pe)); }
  void stop(std::uint32_t pe, bool with_cease = true) { fleet_of(pe).stop(at(pe), with_cease); }
  void pause_reading(std::uint32_t pe, bool paused) { fleet_of(pe).pause_reading(at(pe), paused); }
  void send(std::uint32_t pe, Bytes messages) { fleet_of(pe).send(at(pe), messages); }
  void send_shared(std::uint32_t pe, Bytes messages) { fleet_of(pe).send_shared(at(pe), messages); }
  void turn(int timeout_ms);

  std::uint32_t threads() const { return static_cast<std::uint32_t>(lanes_.size()); }
  std::uint32_t established() const { return static_cast<std::uint32_t>(sum(&Fleet::established)); }
  std::uint32_t failed_connects() const { return static_cast<std::uint32_t>(sum(&Fleet::failed_connects)); }
  std::uint64_t bytes_sent() const { return sum(&Fleet::bytes_sent); }
  std::uint64_t bytes_received() const { return sum(&Fleet::bytes_received); }
  // Of the reflector that the PE last talked to.
  std::uint32_t reflector_id(std::uint32_t pe) const {
    return lanes_[pe % lanes_.size()]->fleet->reflector_id();
  }
  std::string last_error() const;

 private:
  // Translates a fleet's numbers into the group's.
  struct Lane final : FleetListener {
    FleetListener* listener = nullptr;
    std::uint32_t first = 0, stride = 1;
    std::unique_ptr<Fleet> fleet;
    std::thread thread;

    std::uint32_t global(std::uint32_t pe) const { return first + pe * stride; }
    void on_established(std::uint32_t pe) override { listener->on_established(global(pe)); }
    void on_update(std::uint32_t pe, Bytes body) override { listener->on_update(global(pe), body); }
    void on_route_refresh(std::uint32_t pe, Bytes body) override {
      listener->on_route_refresh(global(pe), body);
    }
    void after_read(std::uint32_t pe, std::size_t bytes) override { listener->after_read(global(pe), bytes); }
    void on_closed(std::uint32_t pe, const std::string& reason, bool by_us) override {
      listener->on_closed(global(pe), reason, by_us);
    }
  };

  Fleet& fleet_of(std::uint32_t pe) const { return *lanes_[pe % lanes_.size()]->fleet; }
  std::uint32_t at(std::uint32_t pe) const { return pe / static_cast<std::uint32_t>(lanes_.size()); }
  void work(Lane& lane);
  template <class T>
  std::uint64_t sum(T (Fleet::*value)() const) const {
    std::uint64_t total = 0;
    for (const auto& lane : lanes_) total += ((*lane->fleet).*value)();
    return total;
  }

  std::vector<std::unique_ptr<Lane>> lanes_;
  int epoll_ = -1;  // of the lanes' epolls
  std::atomic<std::uint32_t> turn_ = 0, busy_ = 0;
  std::atomic<bool> stopping_ = false;
};

}  // namespace helio::pe
