#include "bench/lab/lib/heliods.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
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

struct Output {
  std::string text;  // standard error included
  int status = -1;
};
Output output_of(const std::vector<std::string>& argv) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return {};
  std::vector<char*> arguments;
  for (const std::string& a : argv) arguments.push_back(const_cast<char*>(a.c_str()));
  arguments.push_back(nullptr);
  pid_t pid = fork();
  if (pid == 0) {
    dup2(ends[1], 1);
    dup2(ends[1], 2);
    execv(arguments[0], arguments.data());
    _exit(127);
  }
  close(ends[1]);
  Output out;
  char buffer[4096];
  for (ssize_t n; (n = read(ends[0], buffer, sizeof buffer)) > 0;) out.text.append(buffer, static_cast<std::size_t>(n));
  close(ends[0]);
  int status = 0;
  waitpid(pid, &status, 0);
  if (WIFEXITED(status)) out.status = WEXITSTATUS(status);
  return out;
}

}  // namespace

IpAddress loopback_address(const IpAddress& address) { return IpAddress::v4(0x7fff0000 | (address.v4_value() & 0xffff)); }

Heliods::Heliods(const Topology& topology, const std::string& heliod) : topology_(topology), heliod_(heliod), pids_(topology.reflectors.size(), 0) {
  helioctl_ = (std::filesystem::path(heliod).parent_path() / "helioctl").string();
  std::string name = (std::filesystem::temp_directory_path() / "helio-lab-XXXXXX").string();
  if (mkdtemp(name.data()) == nullptr) throw std::runtime_error("no temporary folder: " + name);
  folder_ = name;
  try {
    for (std::size_t i = 0; i < pids_.size(); ++i) start(i);
  } catch (...) {
    for (std::size_t i = 0; i < pids_.size(); ++i) stop(i);
    std::filesystem::remove_all(folder_);
    throw;
  }
}

Heliods::~Heliods() {
  for (std::size_t i = 0; i < pids_.size(); ++i) stop(i);
  std::error_code code;
  std::filesystem::remove_all(folder_, code);
}

std::string Heliods::socket(std::size_t i) const { return folder_ + "/" + topology_.reflectors[i].name + ".sock"; }

void Heliods::start(std::size_t i) {
  const ReflectorSpec& spec = topology_.reflectors[i];
  std::string file = folder_ + "/" + spec.name + ".toml", log = folder_ + "/" + spec.name + ".log";
  std::ofstream(file) << reflector_config(topology_, spec, loopback_address);
  pid_t pid = fork();
  if (pid == 0) {
    setpgid(0, 0);  // a Ctrl-C is for us, who end it
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, nullptr);
    int fd = open(log.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    dup2(fd, 1);
    dup2(fd, 2);
    execl(heliod_.c_str(), heliod_.c_str(), "--config", file.c_str(), static_cast<char*>(nullptr));
    _exit(127);
  }
  pids_[i] = pid;
  auto log_text = [&] {
    std::ifstream in(log);
    std::ostringstream text;
    text << in.rdbuf();
    return text.str();
  };
  for (int n = 0; n < 200; ++n) {
    if (log_text().find("ready") != std::string::npos) return;
    int status = 0;
    if (waitpid(pid, &status, WNOHANG) == pid) {
      pids_[i] = 0;
      throw std::runtime_error(fmt::format("{} for {} ended: {}", heliod_, spec.name, log_text()));
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
  throw std::runtime_error(fmt::format("{} for {} does not get ready: {}", heliod_, spec.name, log_text()));
}

void Heliods::stop(std::size_t i) {
  if (pids_[i] == 0) return;
  kill(pids_[i], SIGTERM);
  int status = 0;
  waitpid(pids_[i], &status, 0);
  pids_[i] = 0;
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
  if (pids_[i] == 0) return std::nullopt;
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
  Output out = output_of(argv);
  if (out.status == kUsage) return std::nullopt;
  return out.text;
}

}  // namespace helio::lab
