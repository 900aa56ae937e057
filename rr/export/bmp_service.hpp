// BmpService: the BMP stations (RFC 7854) on a thread of their own.
//
//   shards ─ ShardFeed ─► ExportHub ─► BmpService ─► BmpStation … ─► TCP
//   a station connects: Initiation, Peer Up of every session, then every shard is armed for it and walked; when all are done,
//   End-of-RIB for every session. What changes meanwhile comes in between, in the right order for each prefix.
//
// A station whose queue is full starts over: its connection is closed, counted, made anew.
#pragma once
#include <map>
#include <thread>

#include "rr/export/bmp_station.hpp"
#include "rr/export/shard_feed.hpp"
#include "rr/export/shard_watch.hpp"

namespace helio::exporter {

class BmpService {
 public:
  // When the sessions have started. At most kMostStations.
  BmpService(std::vector<StationSettings> stations, ShardWatches& watches, std::string hostname, std::uint32_t started);
  // Says goodbye (Termination), waits at most a second for it to be read.
  ~BmpService();

  // Any thread but the shards'.
  std::vector<StationStatus> status();
  // Other stations from now on: those that are among them with the same settings are left as they are. False, and nothing happens,
  // when all slots have been used: a new service is needed.
  bool reconfigure(const std::vector<StationSettings>& wanted);

 private:
  struct Session {
    session::EstablishedPeer peer;
    std::uint32_t number = 0;
    BmpTime since;
    bool is_up = false;
  };
  // What waits until every shard has handed over what it had.
  struct Fence {
    ExportHub::EndOfRib end;
    std::uint32_t missing;
  };
  struct Dump {
    std::uint32_t epoch = 0, missing = 0;
  };

  void run();
  void wake_shards();
  void add_station(StationSettings settings);
  void let_go(BmpStation& station);
  void take();
  void handle(ExportHub::SessionUp& up);
  void handle(ExportHub::SessionDown& down);
  void handle(ExportHub::EndOfRib& end);
  void handle(ExportHub::WalkDone& done);
  void handle(ExportHub::FenceReached& reached);
  void handle(std::shared_ptr<const FeedChunk>& chunk);
  void on_connected(BmpStation& station);
  void on_disconnected(BmpStation& station);
  void arm_statistics(unsigned station);
  void send_statistics(BmpStation& station);
  bool is_current(const FeedChunk::Segment& segment) const;
  template <class Function>
  void on_every_shard(Function function);
  void to_stations(std::uint8_t feeds, const std::vector<std::uint8_t>& message);

  BmpPeer peer_of(const Session& session) const;
  BmpPeer loc_rib_peer() const;
  std::vector<std::uint8_t> peer_up(const Session& session) const;
  std::vector<std::uint8_t> loc_rib_up() const;
  wire::FamilySet loc_rib_families() const;
  std::vector<std::uint8_t> ends_of_rib(const Session& session, wire::FamilySet families, std::uint8_t feeds) const;

  ShardWatches& watches_;
  reflector::Reflector& reflector_;
  std::string hostname_;
  FeedIdentity identity_;
  ExportHub hub_;
  std::vector<std::unique_ptr<ShardFeed>> feeds_;      // by shard
  boost::asio::io_context io_{1};
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_{io_.get_executor()};
  std::vector<std::unique_ptr<BmpStation>> stations_;  // by slot, which nobody has again: what is on its way is for the first one
  std::vector<std::unique_ptr<boost::asio::steady_timer>> statistics_;
  std::vector<Dump> dumps_;                            // by station
  std::map<PeerId, Session> sessions_;
  std::map<std::uint64_t, Fence> fences_;
  std::uint64_t next_token_ = 1;
  std::thread thread_;
};

}  // namespace helio::exporter
