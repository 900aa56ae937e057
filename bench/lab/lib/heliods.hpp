// The reflectors of a topology as heliod processes on the loopback, for runs where nothing of the reflector may be replaced:
// its sessions, threads, timers and its control socket are the real ones. Reflectors listen on 127.255.n.n:1790, where n.n
// are the last octets of their address in the topology; PEs connect from 127.255.n.n likewise.
#pragma once
#include <functional>
#include <memory>

#include "bench/lab/lib/processes.hpp"
#include "bench/lab/lib/topology.hpp"

namespace helio::lab {

// Where a node of the topology is on the loopback.
IpAddress loopback_address(const IpAddress& address);

class Heliods {
 public:
  // Starts all and waits until they listen. `heliod`: the binary; helioctl is beside it. Throws std::runtime_error, and what
  // `while_waiting` throws; nothing is left then.
  Heliods(const Topology& topology, const std::string& heliod, std::function<void()> while_waiting = {});
  ~Heliods();
  Heliods(const Heliods&) = delete;
  Heliods& operator=(const Heliods&) = delete;

  void start(std::size_t reflector);
  void stop(std::size_t reflector);
  // A connection from a PE's address, non-blocking; -1: refused.
  int connect(std::size_t reflector, const IpAddress& from) const;
  // Sessions that the reflector has Established, as helioctl says; nullopt: it does not answer.
  std::optional<std::size_t> established(std::size_t reflector) const;
  // What helioctl prints; `command` as a verdict gives it, "helioctl explain …". nullopt: this helioctl has no such command.
  std::optional<std::string> ask(std::size_t reflector, const std::string& command) const;
  std::string socket(std::size_t reflector) const;

 private:
  void stop_all();
  void take_loopback();

  const Topology& topology_;
  std::string heliod_, helioctl_, folder_;
  std::function<void()> while_waiting_;
  std::vector<std::unique_ptr<Program>> processes_;  // null: not running
  int lock_ = -1;
};

}  // namespace helio::lab
