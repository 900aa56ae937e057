#include "rr/export/update_recorder.hpp"

#include "rr/export/export_hub.hpp"
#include "rr/wire/message.hpp"

namespace helio::exporter {
namespace {

constexpr std::uint16_t kIdle = 1, kOpenConfirm = 5, kEstablished = 6;  // RFC 4271 §8.2.2, as RFC 6396 §4.4.1 numbers them

MrtTime now() {
  BmpTime time = bmp_now();
  return {time.seconds, time.microseconds};
}

Bgp4mpPeer peer_of(const session::EstablishedPeer& peer) { return {peer.peer_as, peer.group->local_as, peer.address, peer.local_address}; }

}  // namespace

void UpdateQueue::push(RecordedUpdates&& part) {
  {
    std::lock_guard lock(mutex_);
    if (bytes_ + part.bytes.size() > kMostBytes) {
      dropped_ += part.records;
      return;
    }
    bytes_ += part.bytes.size();
    parts_.push_back(std::move(part));
  }
  changed_.notify_one();
}

void UpdateRecorder::change(const session::EstablishedPeer& peer, std::uint16_t before, std::uint16_t after) {
  encode_bgp4mp_state_change(part_.bytes, now(), {peer_of(peer), before, after});
  ++part_.records;
}

void UpdateRecorder::on_session_up(const session::EstablishedPeer& peer, std::uint32_t) { change(peer, kOpenConfirm, kEstablished); }

void UpdateRecorder::on_session_down(const session::EstablishedPeer& peer, std::uint32_t, const reflector::SessionEnd&) { change(peer, kEstablished, kIdle); }

// RFC 8050 §3: the subtype tells that there are path ids, for the whole message: with a peer that sends them in some of its families
// only, the reader must know which.
void UpdateRecorder::on_update(const session::EstablishedPeer& peer, Bytes body) {
  message_.clear();
  std::size_t start = wire::begin_message(message_, wire::MessageType::update);
  message_.insert(message_.end(), body.begin(), body.end());
  wire::end_message(message_, start);
  encode_bgp4mp_message(part_.bytes, now(), {peer_of(peer), message_, !peer.add_path_receive.empty(), peer.four_octet_as});
  ++part_.records;
}

bool UpdateRecorder::on_turn() {
  if (part_.records != 0) queue_.push(std::exchange(part_, {}));
  return false;
}

}  // namespace helio::exporter
