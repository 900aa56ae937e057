#include "bench/lab/lib/namespaces.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <stdexcept>

#include "rib/forwarding/icmp.hpp"

namespace helio::lab {
namespace {

constexpr const char* kNamePrefix = "helio-";

// What a process that was killed could not remove.
void remove_leftovers() {
  std::error_code code;
  for (const auto& entry : std::filesystem::directory_iterator("/run/netns", code))
    if (std::string name = entry.path().filename(); is_of_dead_process(name, kNamePrefix)) run_program({"ip", "netns", "del", name});
}

}  // namespace

std::string Namespaces::name_of(std::size_t ce) const { return fmt::format("{}{}-{}", kNamePrefix, getpid(), lab_.topology().ces[ce].name); }

Namespaces::Namespaces(Lab& lab, SignalGuard& signals) : lab_(lab), signals_(signals) {
  if (geteuid() != 0) throw std::runtime_error("namespaces need root: run it with sudo");
  remove_leftovers();
  try {
    for (std::size_t ce = 0; ce < lab.topology().ces.size(); ++ce) make(ce);
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

void Namespaces::must(const std::vector<std::string>& argv) {
  signals_.check();
  ProgramResult result = output_of(argv);
  if (result.status == 0) return;
  std::string text;
  for (const std::string& a : argv) text += (text.empty() ? "" : " ") + a;
  if (result.status == Program::kNotFound) result.text = "not found; iproute2 and procps are needed";
  while (result.text.ends_with('\n')) result.text.pop_back();
  throw std::runtime_error(fmt::format("this failed: {}: {}", text, result.text));
}

void Namespaces::make(std::size_t ce) {
  const CeSpec& spec = lab_.topology().ces[ce];
  std::string name = name_of(ce);
  auto inside = [&](std::vector<std::string> argv) {
    argv.insert(argv.begin(), {"ip", "-n", name});
    must(argv);
  };
  must({"ip", "netns", "add", name});
  made_.push_back(name);
  inside({"link", "set", "lo", "up"});
  must({"ip", "netns", "exec", name, "sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1", "net.ipv4.conf.all.rp_filter=0", "net.ipv4.conf.default.rp_filter=0"});
  for (const Prefix& prefix : spec.prefixes) inside({"addr", "add", wire::format_ip(first_host(prefix)) + (prefix.is_v6 ? "/128" : "/32"), "dev", "lo"});
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
  }
  set_default_route(ce, true);
}

void Namespaces::set_default_route(std::size_t ce, bool is_new) {
  const CeSpec& spec = lab_.topology().ces[ce];
  const Router& node = lab_.node(lab_.node_of_ce(ce));
  for (std::size_t u = 0; u < spec.attachments.size(); ++u) {
    const AttachmentSpec& at = spec.attachments[u];
    bool is_usable = (at.is_uplink || at.has_bgp) && (is_new || node.ports[lab_.ce(ce).uplinks()[u]->port].is_up);
    if (!is_usable) continue;
    for (bool is_v6 : {false, true}) {
      auto source = std::find_if(spec.prefixes.begin(), spec.prefixes.end(), [&](const Prefix& p) { return p.is_v6 == is_v6; });
      if (source != spec.prefixes.end())
        must({"ip", "-n", name_of(ce), is_v6 ? "-6" : "-4", "route", "replace", "default", "dev", fmt::format("up{}", u), "src", wire::format_ip(first_host(*source))});
    }
    return;
  }
}

void Namespaces::refresh() {
  for (std::size_t ce = 0; ce < lab_.topology().ces.size(); ++ce)
    if (lab_.topology().ces[ce].attachments.size() > 1) set_default_route(ce, false);
  std::scoped_lock lock(mutex_);
  arrived_.clear();
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

// From the CE's uplink.
void Namespaces::carry(const Tun& from, forwarding::Packet& packet) {
  bool is_v6 = packet.protocol == forwarding::Protocol::ipv6;
  if (packet.size() < (is_v6 ? forwarding::ipv6::kHeader : forwarding::ipv4::kHeader)) return;
  IpAddress source;
  Request request;
  source.is_v6 = request.destination.is_v6 = is_v6;
  std::memcpy(request.destination.bytes.data(), packet.data() + (is_v6 ? 24 : 16), is_v6 ? 16 : 4);
  std::memcpy(source.bytes.data(), packet.data() + (is_v6 ? 8 : 12), is_v6 ? 16 : 4);
  request.is_one = forwarding::icmp::is_echo_request(packet.view());
  if (request.is_one) request.origin = origin_of(from.ce, source);
  InterfaceId uplink = lab_.ce(from.ce).uplinks()[from.uplink]->port;
  cross(&lab_.node(lab_.node_of_ce(from.ce)).ports[uplink], packet, request);
}

// Through the routers until a CE's port, and into its device.
void Namespaces::cross(const Port* port, forwarding::Packet& packet, Request request) {
  std::size_t routers = lab_.topology().routers.size();
  std::vector<forwarding::Packet> pieces;
  for (int hops = 0; hops < 600 && port->is_up && port->node < routers; ++hops) {
    Router& router = lab_.node(port->node);
    forwarding::Verdict verdict = router.forwarder.process(packet, port->port);
    if (verdict.kind == forwarding::Verdict::Kind::deliver && forwarding::icmp::is_echo_request(packet.view())) {
      forwarding::icmp::answer_echo(packet);  // the PE's own address
      verdict = router.forwarder.originate(packet, verdict.vrf);
      request.is_one = false;
    }
    if (verdict.kind != forwarding::Verdict::Kind::transmit) return;
    if (verdict.reason != forwarding::Drop::none) request.is_one = false;
    port = &router.ports[verdict.out];
    if (verdict.fragments == 0) [[likely]] continue;
    pieces.resize(verdict.fragments);
    for (forwarding::Packet& piece : pieces) router.forwarder.take_fragment(piece);
    for (forwarding::Packet& piece : pieces) cross(port, piece, {});
  }
  if (port->node < routers || !port->is_up) return;
  std::size_t ce = port->node - routers;
  carried_.fetch_add(1, std::memory_order_relaxed);
  if (request.is_one) {
    std::scoped_lock lock(mutex_);
    arrived_.insert({request.origin, request.destination, ce});
  }
  for (const Tun& tun : tuns_)
    if (tun.ce == ce && lab_.ce(ce).uplinks()[tun.uplink]->port == port->port)
      if (write(tun.fd, packet.data(), packet.size()) < 0 && errno != EAGAIN && errno != ENOBUFS) return;
}

bool Namespaces::has_arrived(std::size_t from, const IpAddress& destination, std::size_t to) {
  std::scoped_lock lock(mutex_);
  return arrived_.contains({from, destination, to});
}

}  // namespace helio::lab
