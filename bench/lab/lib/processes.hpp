// Programs that the laboratory runs (ip, ping, iperf3, helioctl, heliod) and the signals that end it. Nothing outlives the
// laboratory: children die with it, and SIGINT, SIGTERM and SIGHUP are taken by asking, so that what was built is removed.
#pragma once
#include <signal.h>
#include <sys/types.h>

#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

namespace helio::lab {

// A program without a shell, in a process group of its own (a Ctrl-C is for us, who end it ourselves), killed when this
// process dies. Ended and waited for by the destructor.
class Program {
 public:
  enum class Output : std::uint8_t { thrown_away, kept };  // standard output and standard error
  // `log`: the output goes to that file instead.
  explicit Program(const std::vector<std::string>& argv, Output output = Output::thrown_away, const std::string& log = {});
  ~Program();
  Program(Program&& other) noexcept;
  Program& operator=(Program&&) = delete;

  static constexpr int kNotFound = 127;
  // The exit status; -1: ended by a signal.
  int wait();
  // The same when it is over by now.
  std::optional<int> poll();
  void end(int signal = SIGTERM);  // and waits
  // Kept output, until the end or (`until` given) until it holds that text or so much time has passed.
  std::string read();
  bool read_until(std::string& text, const std::string& until, int milliseconds);

 private:
  pid_t pid_ = 0;  // 0: over
  int output_ = -1;
  int status_ = -1;
};

// The exit status; -1: ended by a signal. Output is thrown away.
int run_program(const std::vector<std::string>& argv);
struct ProgramResult {
  int status = -1;
  std::string text;  // standard error included
};
ProgramResult output_of(const std::vector<std::string>& argv);

// "PREFIX<pid>-…" of a process that is no more, or of one that had our number before us: we have made nothing yet.
bool is_of_dead_process(const std::string& name, const std::string& prefix);

struct Interrupted : std::runtime_error {
  Interrupted() : std::runtime_error("interrupted") {}
};

class SignalGuard {
 public:
  SignalGuard();
  ~SignalGuard();
  SignalGuard(const SignalGuard&) = delete;
  SignalGuard& operator=(const SignalGuard&) = delete;
  bool is_pending();           // one has come
  bool wait_for(int seconds);  // true: one has come
  void check() {               // throws Interrupted when one has come
    if (is_pending()) throw Interrupted();
  }

 private:
  bool came_ = false;
};

}  // namespace helio::lab
