// One end of a BGP session over a byte stream that somebody else carries: memory between two ends of the laboratory, or a
// socket. The FSM (rr/session/fsm), the OPEN exchange and the framing are those of heliod; there is no clock: no time
// passes between two turns of the laboratory, so neither hold nor keepalive timers run.
#pragma once
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "rr/session/fsm.hpp"
#include "rr/session/open_exchange.hpp"

namespace helio::lab {

class SessionEnd {
 public:
  class User {
   public:
    virtual ~User() = default;
    virtual void on_established(SessionEnd& end, const session::Negotiated& negotiated) = 0;
    virtual std::optional<wire::Notification> on_update(SessionEnd& end, Bytes body) = 0;
    virtual std::optional<wire::Notification> on_route_refresh(SessionEnd&, const session::RefreshRequest&) { return std::nullopt; }
    virtual void on_closed(SessionEnd& end) = 0;
  };

  SessionEnd(std::shared_ptr<const session::GroupSettings> group, User& user) : group_(std::move(group)), user_(user) {}

  // The stream is there.
  void connect();
  // The stream is gone.
  void disconnect();
  void receive(Bytes octets);
  // Whole messages; dropped unless Established.
  void send(Bytes messages);
  void close(const wire::Notification& notification);
  std::vector<std::uint8_t> take_output() { return std::exchange(output_, {}); }

  bool is_established() const { return state_ == session::fsm::State::established; }
  session::fsm::State state() const { return state_; }
  const session::Negotiated& negotiated() const { return negotiated_; }
  const session::GroupSettings& group() const { return *group_; }
  // "sent: OPEN Message Error/…" or "received: …"; empty when nothing went wrong yet.
  const std::string& last_error() const { return last_error_; }

 private:
  void handle(session::fsm::Event event);
  void message(const wire::Frame& frame);
  void fail(session::fsm::Event event, wire::Notification notification);
  void send_notification(const wire::Notification& notification);

  std::shared_ptr<const session::GroupSettings> group_;
  User& user_;
  session::fsm::State state_ = session::fsm::State::idle;
  session::Negotiated negotiated_;
  std::vector<std::uint8_t> input_, output_;
  wire::Notification pending_;
  Bytes body_;
  std::string last_error_;
};

}  // namespace helio::lab
