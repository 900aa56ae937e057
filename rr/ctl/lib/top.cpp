#include "rr/ctl/lib/top.hpp"

#include <fmt/format.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include <algorithm>
#include <boost/json.hpp>
#include <chrono>
#include <cmath>
#include <csignal>
#include <map>
#include <ostream>
#include <sstream>

#include "rr/ctl/lib/format.hpp"
#include "rr/ctl/lib/json_fields.hpp"
#include "rr/ctl/lib/live.hpp"

namespace helio::ctl {
namespace {

namespace json = boost::json;

struct PeerRow {
  std::string address, group, state;
  double lag = 0, in = 0, out = 0;
  std::uint64_t queue = 0;
  std::int64_t flaps = 0, flaps_now = 0;
};

std::vector<PeerRow> peer_rows(const TopSample& before, const TopSample& now, double seconds, TopSort sort) {
  std::map<std::string, const json::value*> earlier;
  for (const json::value& peer : list(before.peers, "peers")) earlier[text(peer, "address")] = &peer;
  std::vector<PeerRow> rows;
  for (const json::value& peer : list(now.peers, "peers")) {
    PeerRow row{text(peer, "address"), text(peer, "group"), text(peer, "state")};
    row.lag = real(peer, "lag_seconds");
    row.queue = static_cast<std::uint64_t>(integer(peer, "output_queue_bytes"));
    row.flaps = integer(peer, "flaps");
    if (auto at = earlier.find(row.address); at != earlier.end() && seconds > 0) {
      auto rate = [&](std::string_view key) { return static_cast<double>(std::max<std::int64_t>(0, integer(peer, key) - integer(*at->second, key))) / seconds; };
      row.in = rate("updates_in");
      row.out = rate("updates_out");
      row.flaps_now = row.flaps - integer(*at->second, "flaps");
    }
    rows.push_back(std::move(row));
  }
  std::ranges::stable_sort(rows, [&](const PeerRow& a, const PeerRow& b) {
    if (sort == TopSort::lag && a.lag != b.lag) return a.lag > b.lag;
    if (sort == TopSort::lag && a.queue != b.queue) return a.queue > b.queue;
    if (sort == TopSort::flaps && a.flaps_now != b.flaps_now) return a.flaps_now > b.flaps_now;
    if (sort == TopSort::flaps && a.flaps != b.flaps) return a.flaps > b.flaps;
    return a.in + a.out > b.in + b.out;
  });
  return rows;
}

std::string rate_text(double rate) { return rate != 0 && rate < 10 ? fmt::format("{:.1f}", rate) : format_count(std::llround(rate)); }

// The terminal as it was, whatever happens.
class Screen {
 public:
  explicit Screen(std::ostream& out) : out_(out) {
    tcgetattr(STDIN_FILENO, &saved_);
    termios raw = saved_;
    raw.c_lflag &= ~static_cast<tcflag_t>(ICANON | ECHO);
    raw.c_cc[VMIN] = 0;
    raw.c_cc[VTIME] = 0;
    tcsetattr(STDIN_FILENO, TCSANOW, &raw);
    out_ << "\x1b[?1049h\x1b[?25l";  // alternate screen, no cursor
  }
  ~Screen() {
    out_ << "\x1b[?25h\x1b[?1049l";
    out_.flush();
    tcsetattr(STDIN_FILENO, TCSANOW, &saved_);
  }
  static std::pair<std::size_t, std::size_t> size() {
    winsize w{};
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &w) != 0 || w.ws_col == 0 || w.ws_row == 0) return {80, 24};
    return {w.ws_col, w.ws_row};
  }

 private:
  std::ostream& out_;
  termios saved_{};
};

volatile std::sig_atomic_t ended = 0;

}  // namespace

std::string render_top(const TopSample& before, const TopSample& now, double seconds, TopSort sort, std::size_t columns, std::size_t rows) {
  std::vector<std::string> lines;
  double changes = 0;
  std::int64_t prefixes = 0;
  for (const json::value& family : list(now.summary, "families")) {
    changes += real(family, "changes_per_second");
    prefixes += integer(family, "prefixes");
  }
  lines.push_back(fmt::format("heliograph {}  up {}  {}  peers {}/{}  {} prefixes  {} changes/s  {}", text(now.summary, "version"), format_age(integer(now.summary, "uptime_seconds")),
                              flag(now.summary, "ready") ? "READY" : "NOT READY", integer(now.summary, "peers_established"), integer(now.summary, "peers_configured"),
                              format_count(prefixes), rate_text(changes), format_bytes(static_cast<std::uint64_t>(integer(now.summary, "rib_memory_bytes")))));
  lines.push_back(fmt::format("peers by {}   keys: l lag  c churn  f flaps  q quit", sort == TopSort::lag ? "lag" : sort == TopSort::churn ? "churn" : "flaps"));
  lines.push_back(fmt::format("{:<24} {:<12} {:>7} {:>8} {:>8} {:>8} {:>6}", "Neighbor", "State", "Lag", "OutQ", "Upd/s in", "out", "Flaps"));
  std::size_t targets = rows > 12 ? std::min<std::size_t>(8, rows / 3) : 0;  // lines for route targets, with their title
  std::size_t peers_until = rows > targets ? rows - targets : rows;
  for (const PeerRow& row : peer_rows(before, now, seconds, sort)) {
    if (lines.size() >= peers_until) break;
    lines.push_back(fmt::format("{:<24} {:<12} {:>7} {:>8} {:>8} {:>8} {:>6}", row.address, row.state, format_seconds(row.lag), format_bytes(row.queue), rate_text(row.in), rate_text(row.out),
                                row.flaps_now > 0 ? fmt::format("{}+{}", row.flaps - row.flaps_now, row.flaps_now) : fmt::format("{}", row.flaps)));
  }
  lines.resize(peers_until);
  if (targets != 0) {
    double over = real(now.churn, "seconds");
    lines.push_back(flag(now.churn, "kept") ? fmt::format("{:<24} {:>10}", "Route target", "Changes/s") : "Route target   (no journal is kept)");
    for (const json::value& target : list(now.churn, "route_targets")) {
      if (lines.size() >= rows) break;
      lines.push_back(fmt::format("{:<24} {:>10}", text(target, "route_target"), over > 0 ? rate_text(static_cast<double>(integer(target, "changes")) / over) : "-"));
    }
  }
  lines.resize(rows);
  std::string out;
  for (std::string& line : lines) out += line.substr(0, columns) + "\n";
  return out;
}

int top(const Command& command, Client& client, std::ostream& out, std::ostream& err) {
  int status = kDone;
  std::ostringstream trouble;  // told when the screen is back
  auto take = [&](TopSample& sample) {
    for (auto [path, to] : {std::pair{"/v1/summary", &sample.summary}, {"/v1/peers", &sample.peers}, {"/v1/churn", &sample.churn}}) {
      auto answer = client.ask("GET", path);
      if (!answer || answer->status != 200) {
        status = answer ? report_problem(*answer, trouble) : kNoAnswer;
        if (!answer) trouble << "helioctl: " << answer.error() << "\n";
        return false;
      }
      *to = json::parse(answer->body);
    }
    return true;
  };
  using Clock = std::chrono::steady_clock;
  TopSort sort = command.sort == "churn" ? TopSort::churn : command.sort == "flaps" ? TopSort::flaps : TopSort::lag;
  TopSample before, now;
  auto leave = [&] {
    err << trouble.str();
    return status;
  };
  if (!take(before)) return leave();
  Clock::time_point at = Clock::now();
  bool live = !command.once && isatty(STDIN_FILENO) && isatty(STDOUT_FILENO);
  if (!live) {
    poll(nullptr, 0, command.watch_seconds != 0 ? static_cast<int>(command.watch_seconds) * 1000 : 300);
    if (!take(now)) return leave();
    out << render_top(before, now, std::chrono::duration<double>(Clock::now() - at).count(), sort, 80, 24);
    return kDone;
  }
  struct sigaction action{};
  action.sa_handler = [](int) { ended = 1; };
  action.sa_flags = SA_RESTART;  // ends poll() all the same, but no write(), after which `out` would take nothing more: not the way back either
  for (int signal : {SIGINT, SIGTERM, SIGHUP}) sigaction(signal, &action, nullptr);
  {
    Screen screen(out);
    now = before;
    double seconds = 0;
    while (!ended) {
      auto [columns, rows] = Screen::size();
      std::string frame = render_top(before, now, seconds, sort, columns, rows);
      frame.pop_back();  // no line feed on the last row
      std::string text = "\x1b[H";
      for (char c : frame) text += c == '\n' ? std::string("\x1b[K\r\n") : std::string(1, c);
      out << text << "\x1b[K";
      out.flush();
      pollfd input{STDIN_FILENO, POLLIN, 0};
      bool redraw = false;
      auto until = at + std::chrono::seconds(std::max(1u, command.watch_seconds));
      while (!ended && !redraw && Clock::now() < until) {
        auto left = std::chrono::ceil<std::chrono::milliseconds>(until - Clock::now());
        if (poll(&input, 1, static_cast<int>(left.count())) <= 0) continue;
        char key = 0;
        if (read(STDIN_FILENO, &key, 1) <= 0 || key == 'q') ended = 1;
        redraw = key == 'l' || key == 'c' || key == 'f';
        if (redraw) sort = key == 'l' ? TopSort::lag : key == 'c' ? TopSort::churn : TopSort::flaps;
      }
      if (redraw || ended) continue;
      before = std::move(now);
      now = {};
      if (!take(now)) break;
      seconds = std::chrono::duration<double>(Clock::now() - at).count();
      at = Clock::now();
    }
  }
  return leave();
}

}  // namespace helio::ctl
