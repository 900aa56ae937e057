#include "bench/lab/lib/heliods.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <thread>

#include "bench/lab/lib/reflector_node.hpp"

namespace helio::lab {
namespace {

constexpr std::uint16_t kPort = 1790;
constexpr int kUsage = 2;  // helioctl(1): wrong use

sockaddr_in address_of(const IpAddress& a, std::uint16_t port) {
  sockaddr_in out{};
  out.sin_family = AF_INET;
  out.sin_port = htons(port);
  out.sin_addr.s_addr = htonl(a.v4_value());
  return out;
}

// Folders are named after the process; those of processes that were killed go.
constexpr const char* kFolderPrefix = "helio-lab-";
void remove_leftovers(const std::filesystem::path& where) {
  std::error_code code;
  for (const auto& entry : std::filesystem::directory_iterator(where, code))
    if (is_of_dead_process(entry.path().filename().string(), kFolderPrefix)) std::filesystem::remove_all(entry.path(), code);
}

}  // namespace

IpAddress loopback_address(const IpAddress& address) { return IpAddress::v4(0x7fff0000 | (address.v4_value() & 0xffff)); }

Heliods::Heliods(const Topology& topology, const std::string& heliod, std::function<void()> while_waiting)
    : topology_(topology), heliod_(heliod), while_waiting_(std::move(while_waiting)), processes_(topology.reflectors.size()) {
  helioctl_ = (std::filesystem::path(heliod).parent_path() / "helioctl").string();
  take_loopback();
  std::filesystem::path temporary = std::filesystem::temp_directory_path();
  remove_leftovers(temporary);
  std::string name = (temporary / fmt::format("{}{}-XXXXXX", kFolderPrefix, getpid())).string();
  if (mkdtemp(name.data()) == nullptr) {
    close(lock_);
    throw std::runtime_error("no temporary folder: " + name);
  }
  folder_ = name;
  try {
    for (std::size_t i = 0; i < processes_.size(); ++i) start(i);
  } catch (...) {
    stop_all();
    throw;
  }
}

Heliods::~Heliods() { stop_all(); }

// Why: heliod shares its port among its shards (SO_REUSEPORT), so two laboratories would get each other's connections. An
// abstract socket is there once per network namespace, like the loopback, and goes with the process.
void Heliods::take_loopback() {
  lock_ = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_un name{};
  name.sun_family = AF_UNIX;
  constexpr std::string_view kName("\0helio-lab --heliod", 19);
  std::memcpy(name.sun_path, kName.data(), kName.size());
  bool is_ours = lock_ >= 0 && bind(lock_, reinterpret_cast<sockaddr*>(&name), static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + kName.size())) == 0;
  for (std::size_t i = 0; is_ours && i < topology_.reflectors.size(); ++i) {
    int fd = connect(i, topology_.reflectors[i].address);
    if (fd < 0) continue;
    close(fd);
    close(lock_);
    throw std::runtime_error(fmt::format("{} port {} is taken by another program", wire::format_ip(loopback_address(topology_.reflectors[i].address)), kPort));
  }
  if (is_ours) return;
  if (lock_ >= 0) close(lock_);
  throw std::runtime_error("another helio-lab with --heliod uses this loopback; `unshare --net` gives each its own");
}

void Heliods::stop_all() {
  for (std::size_t i = 0; i < processes_.size(); ++i) stop(i);
  std::error_code code;
  std::filesystem::remove_all(folder_, code);
  close(lock_);
}

std::string Heliods::socket(std::size_t i) const { return folder_ + "/" + topology_.reflectors[i].name + ".sock"; }

void Heliods::start(std::size_t i) {
  const ReflectorSpec& spec = topology_.reflectors[i];
  std::string file = folder_ + "/" + spec.name + ".toml", log = folder_ + "/" + spec.name + ".log";
  std::ofstream(file) << reflector_config(topology_, spec, loopback_address);
  processes_[i] = std::make_unique<Program>(std::vector<std::string>{heliod_, "--config", file}, Program::Output::thrown_away, log);
  auto log_text = [&] {
    std::ifstream in(log);
    std::ostringstream text;
    text << in.rdbuf();
    return text.str();
  };
  for (int n = 0; n < 200; ++n) {
    if (log_text().find("ready") != std::string::npos) return;
    if (auto status = processes_[i]->poll()) {
      if (*status == Program::kNotFound && log_text().empty()) throw std::runtime_error(fmt::format("{} cannot be run", heliod_));
      throw std::runtime_error(fmt::format("{} for {} ended: {}", heliod_, spec.name, log_text()));
    }
    if (while_waiting_) while_waiting_();
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
  throw std::runtime_error(fmt::format("{} for {} does not get ready: {}", heliod_, spec.name, log_text()));
}

void Heliods::stop(std::size_t i) {
  if (processes_[i]) processes_[i]->end();
  processes_[i].reset();
}

int Heliods::connect(std::size_t i, const IpAddress& from) const {
  int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  int one = 1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  sockaddr_in own = address_of(loopback_address(from), 0), peer = address_of(loopback_address(topology_.reflectors[i].address), kPort);
  if (bind(fd, reinterpret_cast<sockaddr*>(&own), sizeof own) != 0 || ::connect(fd, reinterpret_cast<sockaddr*>(&peer), sizeof peer) != 0) {
    close(fd);
    return -1;
  }
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  fcntl(fd, F_SETFL, O_NONBLOCK);
  return fd;
}

std::optional<std::size_t> Heliods::established(std::size_t i) const {
  if (!processes_[i]) return std::nullopt;
  std::string text = output_of({helioctl_, "--socket", socket(i), "-j", "show", "peers"}).text;
  if (text.find("\"peers\"") == std::string::npos && text.find("\"state\"") == std::string::npos) return std::nullopt;
  std::size_t count = 0;
  for (std::size_t at = 0; (at = text.find("\"Established\"", at)) != std::string::npos; ++at) ++count;
  return count;
}

std::optional<std::string> Heliods::ask(std::size_t i, const std::string& command) const {
  std::vector<std::string> argv{helioctl_, "--socket", socket(i)};
  std::istringstream words(command);
  std::string word;
  words >> word;  // "helioctl"
  while (words >> word) {
    // Peers are where the loopback has them.
    if (auto address = wire::parse_ip(word); address && !address->is_v6) word = wire::format_ip(loopback_address(*address));
    argv.push_back(word);
  }
  ProgramResult out = output_of(argv);
  if (out.status == kUsage) return std::nullopt;
  return out.text;
}

}  // namespace helio::lab
