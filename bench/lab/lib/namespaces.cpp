#include "bench/lab/lib/namespaces.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <deque>
#include <filesystem>
#include <stdexcept>

#include "rib/forwarding/icmp.hpp"

namespace helio::lab {
namespace {

constexpr const char* kNamePrefix = "helio-";

sigset_t ending_signals() {
  sigset_t set;
  sigemptyset(&set);
  for (int s : {SIGINT, SIGTERM, SIGHUP}) sigaddset(&set, s);
  return set;
}

pid_t start_program(const std::vector<std::string>& argv) {
  std::vector<char*> arguments;
  for (const std::string& a : argv) arguments.push_back(const_cast<char*>(a.c_str()));
  arguments.push_back(nullptr);
  pid_t pid = fork();
  if (pid != 0) return pid;
  // Not in our group: a Ctrl-C is for us, who end the children ourselves.
  setpgid(0, 0);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  int null = open("/dev/null", O_RDWR);
  for (int fd : {0, 1, 2}) dup2(null, fd);
  execvp(arguments[0], arguments.data());
  _exit(127);
}

int wait_program(pid_t pid) {
  int status = 0;
  while (waitpid(pid, &status, 0) < 0)
    if (errno != EINTR) return -1;
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

// What a process that was killed could not remove: namespaces named after a process that is no more.
void remove_leftovers() {
  std::error_code code;
  for (const auto& entry : std::filesystem::directory_iterator("/run/netns", code)) {
    std::string name = entry.path().filename();
    if (!name.starts_with(kNamePrefix)) continue;
    pid_t pid = 0;
    const char* digits = name.data() + std::strlen(kNamePrefix);
    auto [end, error] = std::from_chars(digits, name.data() + name.size(), pid);
    if (error == std::errc() && *end == '-' && kill(pid, 0) != 0 && errno == ESRCH) run_program({"ip", "netns", "del", name});
  }
}

}  // namespace

int run_program(const std::vector<std::string>& argv) {
  pid_t pid = start_program(argv);
  return pid < 0 ? -1 : wait_program(pid);
}

SignalGuard::SignalGuard() {
  sigset_t set = ending_signals();
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
}
SignalGuard::~SignalGuard() {
  sigset_t set = ending_signals();
  timespec now{0, 0};
  while (sigtimedwait(&set, nullptr, &now) > 0) continue;
  pthread_sigmask(SIG_UNBLOCK, &set, nullptr);
}
bool SignalGuard::is_pending() {
  sigset_t set = ending_signals();
  timespec now{0, 0};
  if (sigtimedwait(&set, nullptr, &now) > 0) came_ = true;
  return came_;
}
bool SignalGuard::wait_for(int seconds) {
  sigset_t set = ending_signals();
  timespec time{seconds, 0};
  if (!came_ && sigtimedwait(&set, nullptr, &time) > 0) came_ = true;
  return came_;
}

std::string Namespaces::name_of(std::size_t ce) const { return fmt::format("{}{}-{}", kNamePrefix, getpid(), lab_.topology().ces[ce].name); }

Namespaces::Namespaces(Lab& lab, SignalGuard& signals) : lab_(lab) {
  remove_leftovers();
  try {
    for (std::size_t ce = 0; ce < lab.topology().ces.size(); ++ce) make(ce, signals);
  } catch (...) {
    remove();
    throw;
  }
}

Namespaces::~Namespaces() {
  stop();
  remove();
}

void Namespaces::remove() {
  for (const Tun& tun : tuns_) close(tun.fd);
  tuns_.clear();
  for (const std::string& name : made_) run_program({"ip", "netns", "del", name});
  made_.clear();
}

void Namespaces::make(std::size_t ce, SignalGuard& signals) {
  const CeSpec& spec = lab_.topology().ces[ce];
  std::string name = name_of(ce);
  auto must = [&](std::vector<std::string> argv) {
    std::string text;
    for (const std::string& a : argv) text += (text.empty() ? "" : " ") + a;
    if (signals.is_pending()) throw std::runtime_error("interrupted");
    if (run_program(argv) != 0) throw std::runtime_error("this failed (root and iproute2 are needed): " + text);
  };
  auto inside = [&](std::vector<std::string> argv) {
    argv.insert(argv.begin(), {"ip", "-n", name});
    must(argv);
  };
  must({"ip", "netns", "add", name});
  made_.push_back(name);
  inside({"link", "set", "lo", "up"});
  must({"ip", "netns", "exec", name, "sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv4.conf.all.rp_filter=0", "net.ipv4.conf.default.rp_filter=0"});
  std::string source4, source6;
  for (const Prefix& prefix : spec.prefixes) {
    std::string host = wire::format_ip(first_host(prefix));
    inside({"addr", "add", host + (prefix.is_v6 ? "/128" : "/32"), "dev", "lo"});
    std::string& source = prefix.is_v6 ? source6 : source4;
    if (source.empty()) source = host;
  }
  bool has_default = false;
  for (std::size_t u = 0; u < lab_.ce(ce).uplinks().size(); ++u) {
    const Ce::Uplink& uplink = *lab_.ce(ce).uplinks()[u];
    std::string device = fmt::format("hl{}x{}", getpid() % 100000, tuns_.size());
    int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
    ifreq request{};
    request.ifr_flags = IFF_TUN | IFF_NO_PI;
    std::strncpy(request.ifr_name, device.c_str(), IFNAMSIZ - 1);
    if (fd < 0 || ioctl(fd, TUNSETIFF, &request) < 0) {
      int error = errno;
      if (fd >= 0) close(fd);
      throw std::runtime_error(fmt::format("/dev/net/tun: {}", std::strerror(error)));
    }
    tuns_.push_back({fd, ce, u});
    std::string inner = fmt::format("up{}", u);
    must({"ip", "link", "set", "dev", device, "netns", name});
    inside({"link", "set", "dev", device, "name", inner});
    inside({"link", "set", "dev", inner, "mtu", "1500", "up"});
    inside({"addr", "add", wire::format_ip(uplink.addresses.own), "peer", wire::format_ip(uplink.addresses.peer), "dev", inner});
    inside({"addr", "add", wire::format_ip(uplink.addresses.own6) + "/127", "dev", inner, "nodad"});
    const AttachmentSpec& at = spec.attachments[u];
    if (has_default || !(at.is_uplink || at.has_bgp)) continue;
    has_default = true;
    if (!source4.empty()) inside({"route", "add", "default", "dev", inner, "src", source4});
    if (!source6.empty()) inside({"-6", "route", "add", "default", "dev", inner, "src", source6});
  }
}

void Namespaces::start() {
  stop_fd_ = eventfd(0, EFD_CLOEXEC);
  thread_ = std::thread([this] { pump(); });
}

void Namespaces::stop() {
  if (!thread_.joinable()) return;
  std::uint64_t one = 1;
  if (write(stop_fd_, &one, sizeof one) < 0) std::perror("eventfd");
  thread_.join();
  close(stop_fd_);
}

void Namespaces::pump() {
  std::vector<pollfd> fds;
  for (const Tun& tun : tuns_) fds.push_back({tun.fd, POLLIN, 0});
  fds.push_back({stop_fd_, POLLIN, 0});
  std::vector<std::uint8_t> buffer(2048);
  forwarding::Packet packet(4096);
  for (;;) {
    if (poll(fds.data(), fds.size(), -1) < 0 && errno != EINTR) return;
    if (fds.back().revents != 0) return;
    for (std::size_t i = 0; i < tuns_.size(); ++i) {
      if ((fds[i].revents & POLLIN) == 0) continue;
      for (int n = 0; n < 64; ++n) {
        ssize_t size = read(tuns_[i].fd, buffer.data(), buffer.size());
        if (size <= 0) break;
        if (static_cast<std::size_t>(size) < forwarding::ipv4::kHeader) continue;
        packet.assign(Bytes(buffer.data(), static_cast<std::size_t>(size)), buffer[0] >> 4 == 6 ? forwarding::Protocol::ipv6 : forwarding::Protocol::ipv4);
        carry(tuns_[i], packet);
      }
    }
  }
}

// The CE itself, or the site of the same customer for which it passes the packet on (a hub).
std::size_t Namespaces::origin_of(std::size_t ce, const IpAddress& source) const {
  const std::vector<CeSpec>& ces = lab_.topology().ces;
  auto owns = [&](const CeSpec& spec) { return std::any_of(spec.prefixes.begin(), spec.prefixes.end(), [&](const Prefix& p) { return contains(p, source); }); };
  if (owns(ces[ce])) return ce;
  for (std::size_t i = 0; i < ces.size(); ++i)
    if (ces[i].customer == ces[ce].customer && owns(ces[i])) return i;
  return ce;
}

// From the CE's uplink through the routers until a CE's port, and into its device.
void Namespaces::carry(const Tun& from, forwarding::Packet& packet) {
  bool is_request = forwarding::icmp::is_echo_request(packet.view());
  IpAddress destination;
  destination.is_v6 = packet.protocol == forwarding::Protocol::ipv6;
  std::memcpy(destination.bytes.data(), packet.data() + (destination.is_v6 ? 24 : 16), destination.is_v6 ? 16 : 4);
  IpAddress source;
  source.is_v6 = destination.is_v6;
  std::memcpy(source.bytes.data(), packet.data() + (source.is_v6 ? 8 : 12), source.is_v6 ? 16 : 4);
  std::size_t origin = origin_of(from.ce, source);
  InterfaceId uplink = lab_.ce(from.ce).uplinks()[from.uplink]->port;
  const Port* port = &lab_.node(lab_.node_of_ce(from.ce)).ports[uplink];
  std::size_t routers = lab_.topology().routers.size();
  for (int hops = 0; hops < 600 && port->is_up && port->node < routers; ++hops) {
    Router& router = lab_.node(port->node);
    forwarding::Verdict verdict = router.forwarder.process(packet, port->port);
    if (verdict.kind == forwarding::Verdict::Kind::deliver && forwarding::icmp::is_echo_request(packet.view())) {
      forwarding::icmp::answer_echo(packet);  // the PE's own address
      verdict = router.forwarder.originate(packet, verdict.vrf);
      is_request = false;
    }
    if (verdict.kind != forwarding::Verdict::Kind::transmit) return;
    if (verdict.reason != forwarding::Drop::none) is_request = false;
    port = &router.ports[verdict.out];
  }
  if (port->node < routers || !port->is_up) return;
  std::size_t ce = port->node - routers;
  carried_.fetch_add(1, std::memory_order_relaxed);
  if (is_request) {
    std::scoped_lock lock(mutex_);
    arrived_.insert({origin, destination, ce});
  }
  for (const Tun& tun : tuns_)
    if (tun.ce == ce && lab_.ce(ce).uplinks()[tun.uplink]->port == port->port)
      if (write(tun.fd, packet.data(), packet.size()) < 0 && errno != EAGAIN && errno != ENOBUFS) return;
}

bool Namespaces::has_arrived(std::size_t from, const IpAddress& destination, std::size_t to) {
  std::scoped_lock lock(mutex_);
  return arrived_.contains({from, destination, to});
}

PingVerdict ping_all(Lab& lab, Namespaces& namespaces, SignalGuard& signals) {
  struct Ping {
    std::size_t from, to;
    IpAddress destination;
    bool is_intended;
    pid_t pid;
    int status;
  };
  const Topology& t = lab.topology();
  std::vector<Ping> pings;
  for (std::size_t from = 0; from < t.ces.size(); ++from)
    for (std::size_t to = 0; to < t.ces.size(); ++to)
      for (const Prefix& prefix : t.ces[to].prefixes) {
        bool has_source = std::any_of(t.ces[from].prefixes.begin(), t.ces[from].prefixes.end(), [&](const Prefix& p) { return p.is_v6 == prefix.is_v6; });
        if (from != to && has_source) pings.push_back({from, to, first_host(prefix), t.is_intended(t.ces[from], t.ces[to]), 0, -1});
      }
  PingVerdict out;
  constexpr std::size_t kAtOnce = 12;
  std::deque<std::size_t> running;
  auto end_first = [&] {
    Ping& p = pings[running.front()];
    running.pop_front();
    p.status = wait_program(p.pid);
  };
  for (std::size_t i = 0; i < pings.size() && !signals.is_pending(); ++i) {
    Ping& p = pings[i];
    p.pid = start_program({"ip", "netns", "exec", namespaces.name_of(p.from), "ping", p.destination.is_v6 ? "-6" : "-4", "-n", "-c", "2", "-i", "0.2", "-W", "1", wire::format_ip(p.destination)});
    running.push_back(i);
    if (running.size() >= kAtOnce) end_first();
  }
  if (signals.is_pending()) {
    for (std::size_t i : running) kill(pings[i].pid, SIGTERM);
    out.was_interrupted = true;
  }
  while (!running.empty()) end_first();
  if (out.was_interrupted) return out;

  std::size_t wanted = 0, answered = 0, forbidden = 0, leaked = 0;
  for (const Ping& p : pings) {
    bool arrived = namespaces.has_arrived(p.from, p.destination, p.to);
    std::string what = fmt::format("ping from {} to {} ({}): ", t.ces[p.from].name, t.ces[p.to].name, wire::format_ip(p.destination));
    if (p.is_intended) {
      ++wanted;
      if (p.status == 0 && arrived) ++answered;
      else out.text += what + (arrived ? "arrived, no answer came back\n" : "did not arrive\n");
    } else {
      ++forbidden;
      if (!arrived) continue;
      ++leaked;
      out.text += what + "arrived at another customer's site\n";
    }
  }
  out.is_good = answered == wanted && leaked == 0;
  out.text += fmt::format("namespaces: {} of {} pings between sites that are meant to reach each other were answered, {} of {} others came out nowhere near: {}\n", answered, wanted, forbidden - leaked,
                          forbidden, out.is_good ? "good" : "NOT good");
  return out;
}

}  // namespace helio::lab
