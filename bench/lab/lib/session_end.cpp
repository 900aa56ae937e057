#include "bench/lab/lib/session_end.hpp"

namespace helio::lab {

namespace fsm = session::fsm;

void SessionEnd::connect() {
  input_.clear();
  output_.clear();
  handle(fsm::Event::automatic_start);
  handle(fsm::Event::tcp_acked);
}

void SessionEnd::disconnect() {
  if (state_ != fsm::State::idle) handle(fsm::Event::tcp_fails);
  // The FSM waits for another connection in some states; here the next connect() starts from Idle.
  state_ = fsm::State::idle;
  input_.clear();
  output_.clear();
}

void SessionEnd::receive(Bytes octets) {
  input_.insert(input_.end(), octets.begin(), octets.end());
  std::vector<std::uint8_t> work;
  while (state_ != fsm::State::idle) {
    std::size_t limit = is_established() ? negotiated_.agreed.max_receive : wire::kMaxMessage;
    auto frame = wire::next_frame(input_, limit);
    if (!frame) return fail(fsm::Event::header_error, frame.error());
    if (!*frame) return;
    // The message is taken out first: what it leads to may close the session and clear the input.
    work.assign((*frame)->message.begin(), (*frame)->message.end());
    input_.erase(input_.begin(), input_.begin() + static_cast<std::ptrdiff_t>(work.size()));
    message({(*frame)->type, work});
  }
}

void SessionEnd::message(const wire::Frame& frame) {
  switch (frame.type) {
    case wire::MessageType::open: {
      auto negotiated = session::evaluate_open(frame.body(), *group_, {});
      if (!negotiated) return fail(fsm::Event::open_error, negotiated.error());
      negotiated_ = *negotiated;
      return handle(fsm::Event::open);
    }
    case wire::MessageType::keepalive: return handle(fsm::Event::keepalive);
    case wire::MessageType::notification: {
      auto notification = wire::decode_notification(frame.body());
      last_error_ = "received: " + (notification ? wire::format_notification(*notification) : std::string("malformed NOTIFICATION"));
      return handle(fsm::Event::notification);
    }
    case wire::MessageType::route_refresh: {
      if (!is_established()) return handle(fsm::Event::update);
      auto request = session::evaluate_route_refresh(frame, negotiated_);
      if (!request) return fail(fsm::Event::update_error, request.error());
      if (*request)
        if (auto error = user_.on_route_refresh(*this, **request)) fail(fsm::Event::update_error, *error);
      return;
    }
    case wire::MessageType::update: {
      body_ = frame.body();
      return handle(fsm::Event::update);
    }
  }
}

void SessionEnd::fail(fsm::Event event, wire::Notification notification) {
  pending_ = std::move(notification);
  handle(event);
}

void SessionEnd::send_notification(const wire::Notification& notification) {
  wire::encode_notification(output_, notification);
  last_error_ = "sent: " + wire::format_notification(notification);
}

void SessionEnd::handle(fsm::Event event) {
  bool was_established = is_established();
  fsm::Transition t = fsm::step(state_, event, {});
  state_ = t.next;
  if ((t.actions & fsm::kSendCease) != 0) send_notification(pending_);
  if ((t.actions & fsm::kSendFsmError) != 0) send_notification({static_cast<std::uint8_t>(wire::ErrorCode::fsm), 0, {}});
  if ((t.actions & fsm::kSendEventError) != 0) send_notification(pending_);
  if ((t.actions & fsm::kSendOpen) != 0) wire::encode_open(output_, session::make_open(*group_, {}));
  if ((t.actions & fsm::kSendKeepalive) != 0) wire::encode_keepalive(output_);
  if (was_established && !is_established()) user_.on_closed(*this);
  if ((t.actions & fsm::kEnterEstablished) != 0) user_.on_established(*this, negotiated_);
  if ((t.actions & fsm::kProcessUpdate) != 0)
    if (auto error = user_.on_update(*this, body_)) fail(fsm::Event::update_error, *error);
}

void SessionEnd::send(Bytes messages) {
  if (is_established()) output_.insert(output_.end(), messages.begin(), messages.end());
}

void SessionEnd::close(const wire::Notification& notification) {
  if (state_ == fsm::State::idle) return;
  pending_ = notification;
  handle(fsm::Event::automatic_stop);
}

}  // namespace helio::lab
