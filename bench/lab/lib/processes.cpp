#include "bench/lab/lib/processes.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <chrono>
#include <system_error>
#include <utility>

namespace helio::lab {
namespace {

sigset_t ending_signals() {
  sigset_t set;
  sigemptyset(&set);
  for (int s : {SIGINT, SIGTERM, SIGHUP}) sigaddset(&set, s);
  return set;
}
int status_of(int wait_status) { return WIFEXITED(wait_status) ? WEXITSTATUS(wait_status) : -1; }

}  // namespace

Program::Program(const std::vector<std::string>& argv, Output output, const std::string& log) {
  std::vector<char*> arguments;
  for (const std::string& a : argv) arguments.push_back(const_cast<char*>(a.c_str()));
  arguments.push_back(nullptr);
  int ends[2] = {-1, -1};
  if (output == Output::kept && pipe2(ends, O_CLOEXEC) != 0) throw std::system_error(errno, std::generic_category(), "pipe");
  pid_t parent = getpid();
  pid_ = fork();
  if (pid_ < 0) throw std::system_error(errno, std::generic_category(), "fork");
  if (pid_ == 0) {
    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) _exit(kNotFound);  // it died before that
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, nullptr);
    int null = open("/dev/null", O_RDWR);
    int out = output == Output::kept ? ends[1] : log.empty() ? null : open(log.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    dup2(null, 0);
    for (int fd : {1, 2}) dup2(out, fd);
    execvp(arguments[0], arguments.data());
    _exit(kNotFound);
  }
  if (ends[1] >= 0) close(ends[1]);
  output_ = ends[0];
}

Program::~Program() {
  end(SIGKILL);
  if (output_ >= 0) close(output_);
}

Program::Program(Program&& other) noexcept : pid_(std::exchange(other.pid_, 0)), output_(std::exchange(other.output_, -1)), status_(other.status_) {}

int Program::wait() {
  int status = 0;
  while (pid_ != 0) {
    if (waitpid(pid_, &status, 0) == pid_) {
      status_ = status_of(status);
      pid_ = 0;
    } else if (errno != EINTR) {
      pid_ = 0;
    }
  }
  return status_;
}

std::optional<int> Program::poll() {
  int status = 0;
  if (pid_ != 0 && waitpid(pid_, &status, WNOHANG) == pid_) {
    status_ = status_of(status);
    pid_ = 0;
  }
  return pid_ == 0 ? std::optional(status_) : std::nullopt;
}

void Program::end(int signal) {
  if (pid_ == 0) return;
  kill(pid_, signal);
  wait();
}

std::string Program::read() {
  std::string text;
  char buffer[4096];
  for (ssize_t n; (n = ::read(output_, buffer, sizeof buffer)) > 0 || (n < 0 && errno == EINTR);)
    if (n > 0) text.append(buffer, static_cast<std::size_t>(n));
  return text;
}

bool Program::read_until(std::string& text, const std::string& until, int milliseconds) {
  using Clock = std::chrono::steady_clock;
  auto stop = Clock::now() + std::chrono::milliseconds(milliseconds);
  char buffer[4096];
  while (text.find(until) == std::string::npos) {
    auto left = std::chrono::duration_cast<std::chrono::milliseconds>(stop - Clock::now()).count();
    pollfd fd{output_, POLLIN, 0};
    if (left <= 0 || ::poll(&fd, 1, static_cast<int>(left)) <= 0) return false;
    ssize_t n = ::read(output_, buffer, sizeof buffer);
    if (n <= 0) return false;
    text.append(buffer, static_cast<std::size_t>(n));
  }
  return true;
}

int run_program(const std::vector<std::string>& argv) { return Program(argv).wait(); }

ProgramResult output_of(const std::vector<std::string>& argv) {
  Program program(argv, Program::Output::kept);
  ProgramResult out;
  out.text = program.read();
  out.status = program.wait();
  return out;
}

bool is_of_dead_process(const std::string& name, const std::string& prefix) {
  if (!name.starts_with(prefix)) return false;
  pid_t pid = 0;
  auto [end, error] = std::from_chars(name.data() + prefix.size(), name.data() + name.size(), pid);
  if (error != std::errc() || end == name.data() + name.size() || *end != '-' || pid <= 0) return false;
  return pid == getpid() || (kill(pid, 0) != 0 && errno == ESRCH);
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
bool SignalGuard::is_pending() { return wait_for(0); }
bool SignalGuard::wait_for(int seconds) {
  sigset_t set = ending_signals();
  timespec time{seconds, 0};
  if (!came_ && sigtimedwait(&set, nullptr, &time) > 0) came_ = true;
  return came_;
}

}  // namespace helio::lab
