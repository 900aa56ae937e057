// Metrics: names against the golden list (HELIO_UPDATE_GOLDEN=1 writes it), values from counters and samples, the
// cardinality guard, a real scrape.
#include "telemetry/collectors.hpp"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <prometheus/text_serializer.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <sstream>
#include <thread>

#include "telemetry/exporter.hpp"

namespace helio::telemetry {
namespace {

using testing::HasSubstr;

PeerSample peer(int i, std::uint8_t state) {
  PeerSample sample;
  std::string n = std::to_string(i);
  sample.identity = std::make_shared<PeerIdentity>(
      PeerIdentity{"192.0.2." + n, "pe", "65000", "192.0.2." + n, "pe" + n, "rack \"" + n + "\"", "client"});
  sample.state = state;
  sample.established_timestamp = 1.7e9;
  sample.flaps = 3;
  sample.families = {{0, 100, 200, 400}, {2, 7, 9}};
  sample.output_queue_bytes = 4096;
  sample.lag_seconds = 0.25;
  sample.rt_interest = 48;
  sample.updates_in = 1;
  return sample;
}

class CollectorsTest : public testing::Test {
 protected:
  CollectorsTest() {
    Labels labels{{"vpnv4", "vpnv6", "rtc"}, {"none", "hold-timer-expired", "collision"}, {"decide", "encode"}, {0.001, 0.1}, [](std::uint8_t type) { return type == 1 ? "ORIGIN" : std::to_string(type); }};
    board_ = std::make_shared<Board>(2, labels);
  }
  void fill() {
    ShardCounters& a = board_->counters(0);
    ShardCounters& b = board_->counters(1);
    a.count_message(Direction::in, 2, 100);
    b.count_message(Direction::in, 2, 50);
    b.count_message(Direction::out, 4, 19);
    a.count_notification(Direction::out, 6, 2);
    a.session_closes[1].add();
    b.update_errors[1][1].add(2);
    b.count_updates_sent(4096);
    a.count_suppressed(Suppressed::cluster_loop, 5);
    a.refused[static_cast<std::size_t>(Refused::memory)].set(9);
    a.rib_prefixes[0].set(1000);
    a.rib_paths[0].set(2000);
    a.best_changes[0].add(11);
    a.latency[1][0].set(3);
    b.latency[1][2].set(1);
    a.latency_sum_us[1].set(250'000);
    b.latency_sum_us[1].set(2'000'000);
    b.decisions.set(4);
    a.attribute_sets.set(10);
    a.bfd_packets[1].set(7);
    b.count_refused(Refused::held);
    b.count_refused(Refused::held);
    board_->memory().limit.set(std::uint64_t{8} << 30);
    board_->memory().used.set(std::uint64_t{3} << 30);
    board_->memory().shed.add();
    a.descriptors_exhausted.set(6);
    a.log_lost[1].set(8);
    b.oversize_updates.set(5);
    a.loop_busy_ns.add(1'500'000'000);
    auto sample = std::make_shared<DaemonSample>();
    sample->ready = sample->converged = true;
    sample->initial_convergence_seconds = 12;
    sample->route_targets = 50;
    sample->encoding_classes = 2;
    sample->memory = {{"paths", 4096}};
    sample->bmp_stations = {{"192.0.2.200:11019", true, 12, 3, 4096}, {"[2001:db8::200]:1790", false, 0, 0, 0}};
    sample->mrt = {7, 1, 2, 1795370400};
    sample->groups = {"pe", "empty"};
    sample->peers = {peer(1, 6), peer(2, 3)};
    sample->peers[0].bfd_state = 3;
    sample->config_hash = "00ff";
    board_->publish(sample);
  }
  std::string scrape() { return prometheus::TextSerializer().Serialize(collector_->Collect()); }

  std::shared_ptr<Board> board_;
  std::shared_ptr<PeerSeriesLimits> limits_ = std::make_shared<PeerSeriesLimits>();
  Collector collector_;
  void SetUp() override { collector_ = make_collector({"0.1.0", "abc", "gcc", "libc"}, board_, limits_); }
};

// Dashboards and alerts stand on these names.
TEST_F(CollectorsTest, NamesAreTheGoldenOnes) {
  fill();
  limits_->per_peer = PerPeer::full;
  std::ostringstream names;
  static constexpr const char* kTypes[] = {"counter", "gauge", "summary", "untyped", "histogram"};
  std::vector<std::string> lines;
  for (const auto& family : collector_->Collect())
    lines.push_back(family.name + " " + kTypes[static_cast<int>(family.type)] + "\n");
  std::ranges::sort(lines);
  EXPECT_EQ(std::ranges::adjacent_find(lines), lines.end()) << "a name twice";
  for (const std::string& line : lines) names << line;
  const char* path = HELIO_SOURCE_DIR "/tests/golden/metrics.txt";
  if (std::getenv("HELIO_UPDATE_GOLDEN")) std::ofstream(path) << names.str();
  std::ifstream in(path);
  std::ostringstream expected;
  expected << in.rdbuf();
  EXPECT_EQ(names.str(), expected.str());
}

TEST_F(CollectorsTest, CountersAreSummedOverShards) {
  fill();
  std::string text = scrape();
  for (const char* line :
       {"heliograph_messages_total{direction=\"in\",type=\"update\"} 2\n",
        "heliograph_bytes_total{direction=\"in\",type=\"update\"} 150\n",
        "heliograph_messages_total{direction=\"out\",type=\"keepalive\"} 1\n",
        "heliograph_messages_total{direction=\"out\",type=\"open\"} 0\n",
        "heliograph_notifications_total{direction=\"out\",code=\"6\",subcode=\"2\"} 1\n",
        "heliograph_session_closes_total{reason=\"hold-timer-expired\"} 1\n",
        "heliograph_session_closes_total{reason=\"collision\"} 0\n",
        "heliograph_update_errors_total{action=\"withdraw\",attribute=\"ORIGIN\"} 2\n",
        "heliograph_reflection_suppressed_total{reason=\"cluster_loop\"} 5\n",
        "heliograph_rib_prefixes{family=\"vpnv4\",shard=\"0\"} 1000\n",
        "heliograph_rib_decisions_total{shard=\"1\"} 4\n",
        "heliograph_loop_busy_seconds_total{thread=\"shard-0\"} 1.5\n",
        "heliograph_bytes_total{direction=\"out\",type=\"update\"} 4096\n",
        "heliograph_connections_refused_total{reason=\"memory\"} 9\n", "heliograph_connections_refused_total{reason=\"held\"} 2\n",
        "heliograph_descriptors_exhausted_total 6\n", "heliograph_log_lost_lines_total{reason=\"overrun\"} 8\n", "heliograph_oversize_updates_total 5\n",
        "heliograph_peers{state=\"established\",group=\"pe\"} 1\n", "heliograph_peers{state=\"active\",group=\"pe\"} 1\n",
        "heliograph_peers{state=\"idle\",group=\"empty\"} 0\n", "heliograph_bfd_sessions{state=\"up\"} 1\n",
        "heliograph_bfd_sessions{state=\"down\"} 0\n", "heliograph_bfd_packets_total{direction=\"out\"} 7\n", "heliograph_peer_up{peer=\"192.0.2.2\",group=\"pe\"} 0\n",
        "heliograph_peer_prefixes{peer=\"192.0.2.1\",group=\"pe\",family=\"rtc\",rib=\"adj_out\"} 9\n",
        "heliograph_bmp_station_up{station=\"192.0.2.200:11019\"} 1\n", "heliograph_bmp_station_up{station=\"[2001:db8::200]:1790\"} 0\n",
        "heliograph_bmp_dropped_messages_total{station=\"192.0.2.200:11019\"} 3\n", "heliograph_mrt_write_errors_total 2\n",
        "heliograph_reflect_latency_seconds_bucket{stage=\"encode\",le=\"0.001\"} 3\n", "heliograph_reflect_latency_seconds_bucket{stage=\"encode\",le=\"0.1\"} 3\n",
        "heliograph_reflect_latency_seconds_bucket{stage=\"encode\",le=\"+Inf\"} 4\n", "heliograph_reflect_latency_seconds_count{stage=\"encode\"} 4\n",
        "heliograph_reflect_latency_seconds_sum{stage=\"encode\"} 2.25\n", "heliograph_reflect_latency_seconds_count{stage=\"decide\"} 0\n",
        "description=\"rack \\\"1\\\"\"", "heliograph_telemetry_series_dropped 0\n", "heliograph_ready 1\n",
        "heliograph_build_info{version=\"0.1.0\",commit=\"abc\",compiler=\"gcc\",allocator=\"libc\"} 1\n"})
    EXPECT_THAT(text, HasSubstr(line));
}

// The number of UPDATEs sent is not known: no series is better than one that says 0.
TEST_F(CollectorsTest, WhatIsNotCountedIsNotExported) {
  fill();
  EXPECT_THAT(scrape(), testing::Not(HasSubstr("heliograph_messages_total{direction=\"out\",type=\"update\"}")));
}

TEST_F(CollectorsTest, PerPeerTiers) {
  fill();
  EXPECT_THAT(scrape(), testing::Not(HasSubstr("heliograph_peer_updates_total")));
  limits_->per_peer = PerPeer::full;
  EXPECT_THAT(scrape(), HasSubstr("heliograph_peer_updates_total{peer=\"192.0.2.1\",group=\"pe\",direction=\"in\"} 1\n"));
  limits_->per_peer = PerPeer::off;
  EXPECT_THAT(scrape(), testing::Not(HasSubstr("heliograph_peer_up")));
  EXPECT_THAT(scrape(), HasSubstr("heliograph_peers{"));
}

// A peer is shown with all its series or with none, and what is missing is told.
TEST_F(CollectorsTest, GuardKeepsTheBound) {
  auto sample = std::make_shared<DaemonSample>();
  for (int i = 0; i < 100; ++i) sample->peers.push_back(peer(i, 6));
  board_->publish(sample);
  for (PerPeer tier : {PerPeer::essential, PerPeer::full}) {
    limits_->per_peer = tier;
    limits_->max_series = 1'000'000;
    auto count = [&] {
      std::size_t series = 0;
      for (const auto& family : collector_->Collect())
        if (family.name.starts_with("heliograph_peer_")) series += family.metric.size();
      return series;
    };
    std::size_t all = count(), each = all / 100;
    EXPECT_EQ(all, 100 * each);
    limits_->max_series = 10 * each + 3;
    EXPECT_EQ(count(), 10 * each);
    EXPECT_THAT(scrape(), HasSubstr("heliograph_telemetry_series_dropped " + std::to_string(90 * each) + "\n"));
    EXPECT_THAT(scrape(), HasSubstr("heliograph_peer_up{peer=\"192.0.2.9\""));
    EXPECT_THAT(scrape(), testing::Not(HasSubstr("heliograph_peer_up{peer=\"192.0.2.10\"")));
  }
}

TEST_F(CollectorsTest, ProcessMetricsAreAlive) {
  std::string text = scrape();
  auto value = [&](const std::string& name) {
    std::size_t at = text.find("\n" + name + " ");
    return at == std::string::npos ? -1.0 : std::stod(text.substr(at + name.size() + 2));
  };
  EXPECT_GT(value("process_resident_memory_bytes"), 1e6);
  EXPECT_GE(value("process_open_fds"), 3);
  EXPECT_GT(value("process_max_fds"), value("process_open_fds"));
  EXPECT_GT(value("process_start_time_seconds"), 1.6e9);
  EXPECT_THAT(text, HasSubstr("heliograph_allocator_bytes{kind=\"allocated\"}"));
}

// One writer and a reader at the same time; what is read never goes back. (Run under TSan, too.)
TEST_F(CollectorsTest, ScrapesWhileShardsCount) {
  std::atomic<bool> stop{false};
  std::thread writer([&] {
    while (!stop) {
      board_->counters(0).count_message(Direction::in, 2, 10);
      board_->publish(std::make_shared<DaemonSample>());
    }
  });
  double last = 0;
  for (int i = 0; i < 200; ++i) {
    for (const auto& family : collector_->Collect())
      if (family.name == "heliograph_messages_total") {
        double now = 0;
        for (const auto& metric : family.metric) now += metric.counter.value;
        EXPECT_GE(now, last);
        last = now;
      }
  }
  stop = true;
  writer.join();
  EXPECT_GT(last, 0);
}

std::string http_get(std::uint16_t port, const std::string& header = {}) {
  int fd = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{.sin_family = AF_INET, .sin_port = htons(port), .sin_addr = {htonl(INADDR_LOOPBACK)}, .sin_zero = {}};
  std::string answer;
  if (::connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0) {
    std::string request = "GET /metrics HTTP/1.0\r\n" + header + "\r\n";
    (void)!::send(fd, request.data(), request.size(), MSG_NOSIGNAL);
    char buffer[65536];
    for (ssize_t n; (n = ::recv(fd, buffer, sizeof(buffer), 0)) > 0;) answer.append(buffer, static_cast<std::size_t>(n));
  }
  ::close(fd);
  return answer;
}

TEST_F(CollectorsTest, ExporterServesThem) {
  fill();
  auto exporter = Exporter::start("127.0.0.1", 0, collector_);
  ASSERT_TRUE(exporter) << exporter.error();
  std::string answer = http_get((*exporter)->port());
  EXPECT_THAT(answer, testing::StartsWith("HTTP/1.1 200 OK"));
  EXPECT_THAT(answer, HasSubstr("\nheliograph_ready 1\n"));
  auto second = Exporter::start("127.0.0.1", (*exporter)->port(), collector_);
  ASSERT_FALSE(second);
  EXPECT_THAT(second.error(), HasSubstr("is the port in use?"));
}

// H5 F: 5,000 peers with all their series, packed as Prometheus asks for them, in under a second. The time is in the test's output.
TEST_F(CollectorsTest, FiveThousandPeersInASecond) {
  fill();
  auto sample = std::make_shared<DaemonSample>();
  for (int i = 0; i < 5000; ++i) {
    PeerSample one = peer(i, 6);
    one.families.push_back({1, 50, 60, 70});
    sample->peers.push_back(std::move(one));
  }
  board_->publish(sample);
  limits_->per_peer = PerPeer::full;
  limits_->max_series = 1'000'000;
  auto exporter = Exporter::start("127.0.0.1", 0, collector_);
  ASSERT_TRUE(exporter) << exporter.error();
  std::string plain = http_get((*exporter)->port());
  auto best = std::chrono::steady_clock::duration::max();
  std::string packed;
  for (int i = 0; i < 3; ++i) {
    auto begin = std::chrono::steady_clock::now();
    packed = http_get((*exporter)->port(), "Accept-Encoding: gzip\r\n");
    best = std::min(best, std::chrono::steady_clock::now() - begin);
  }
  auto lines = std::count(plain.begin(), plain.end(), '\n');
  double seconds = std::chrono::duration<double>(best).count();
  std::printf("%ld lines, %zu octets, %zu packed: %.3f s\n", static_cast<long>(lines), plain.size(), packed.size(), seconds);
  EXPECT_GT(lines, 70'000);
  EXPECT_THAT(packed, testing::AllOf(testing::StartsWith("HTTP/1.1 200 OK"), HasSubstr("Content-Encoding: gzip")));
  EXPECT_LT(packed.size(), plain.size() / 5);
#ifndef __SANITIZE_ADDRESS__
  EXPECT_LT(seconds, 1);
#endif
}

// The linter of the field, where it is installed (Debian: package prometheus).
TEST_F(CollectorsTest, PromtoolAgrees) {
  if (std::system("command -v promtool >/dev/null 2>&1") != 0) GTEST_SKIP() << "promtool is not installed";
  fill();
  limits_->per_peer = PerPeer::full;
  std::FILE* pipe = ::popen("promtool check metrics 2>&1", "w");
  ASSERT_TRUE(pipe);
  std::string text = scrape();
  std::fwrite(text.data(), 1, text.size(), pipe);
  EXPECT_EQ(::pclose(pipe), 0);
}

}  // namespace
}  // namespace helio::telemetry
