#include "rr/ctl/lib/client.hpp"

#include <fmt/format.h>

#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/beast/core/basic_stream.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>
#include <charconv>
#include <chrono>
#include <fstream>

namespace helio::ctl {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using boost::system::error_code;

constexpr std::chrono::seconds kPatience{30};
constexpr std::uint64_t kMaxAnswerBytes = 256u << 20;

std::string explain(const std::string& socket, const std::string& url, const error_code& error) {
  if (!url.empty() && error == asio::error::connection_refused)
    return fmt::format("no daemon answers on {}: {} (is heliod running, with [control] port and a token file?)", url, error.message());
  if (!url.empty()) return fmt::format("{}: {}", url, error == beast::error::timeout ? fmt::format("the daemon did not answer in {} s", kPatience.count()) : error.message());
  if (error == asio::error::connection_refused || error == boost::system::errc::no_such_file_or_directory)
    return fmt::format("no daemon answers on {}: {} (is heliod running? another socket: --socket PATH or HELIOGRAPH_SOCKET)",
                       socket, error.message());
  if (error == boost::system::errc::permission_denied)
    return fmt::format("{}: permission denied (the socket's group is set by [control] group; try sudo)", socket);
  if (error == beast::error::timeout) return fmt::format("{}: the daemon did not answer in {} s", socket, kPatience.count());
  return fmt::format("{}: {}", socket, error.message());
}

// "http://127.0.0.1:9180", "http://[::1]:9180", "http://localhost:9180".
std::optional<asio::ip::tcp::endpoint> parse_url(std::string_view url) {
  static constexpr std::string_view kScheme = "http://";
  if (!url.starts_with(kScheme)) return std::nullopt;
  url.remove_prefix(kScheme.size());
  if (url.ends_with('/')) url.remove_suffix(1);
  std::size_t colon = url.rfind(':');
  if (colon == std::string_view::npos) return std::nullopt;
  std::string host(url.substr(0, colon));
  std::string_view port = url.substr(colon + 1);
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  if (host == "localhost") host = "127.0.0.1";
  std::uint16_t number = 0;
  auto [end, failed] = std::from_chars(port.data(), port.data() + port.size(), number);
  error_code error;
  auto address = asio::ip::make_address(host, error);
  if (error || failed != std::errc() || end != port.data() + port.size() || number == 0) return std::nullopt;
  return asio::ip::tcp::endpoint(address, number);
}

}  // namespace

struct Client::Impl {
  asio::io_context io;
  beast::basic_stream<asio::generic::stream_protocol> stream{io};
  beast::flat_buffer buffer;

  // Runs one asynchronous operation to its end; the stream's timer ends it when it takes too long.
  template <class Start>
  error_code wait(Start start) {
    error_code result;
    stream.expires_after(kPatience);
    start([&result](error_code error, auto&&...) { result = error; });
    io.restart();
    io.run();
    return result;
  }
};

Client::Client(std::string socket, std::string url, std::string token_file) : socket_(std::move(socket)), url_(std::move(url)), token_file_(std::move(token_file)) {}
Client::~Client() = default;

std::optional<std::string> Client::connect() {
  if (impl_) return std::nullopt;
  auto failure = [&](const error_code& error) {
    impl_.reset();
    return explain(socket_, url_, error);
  };
  if (!token_file_.empty()) {
    std::ifstream file(token_file_);
    if (!std::getline(file, token_)) return fmt::format("{}: cannot be read, or is empty (the daemon's [control] token-file or read-token-file)", token_file_);
    if (token_.ends_with('\r')) token_.pop_back();
  }
  impl_ = std::make_unique<Impl>();
  asio::generic::stream_protocol::endpoint endpoint;
  if (!url_.empty()) {
    auto parsed = parse_url(url_);
    if (!parsed) {
      impl_.reset();
      return fmt::format("\"{}\" is not a URL such as http://127.0.0.1:9180", url_);
    }
    endpoint = *parsed;
  } else try {
    endpoint = asio::local::stream_protocol::endpoint(socket_);
  } catch (const boost::system::system_error& error) {  // name too long
    return failure(error.code());
  }
  if (error_code error = impl_->wait([&](auto done) { impl_->stream.async_connect(endpoint, done); })) return failure(error);
  return std::nullopt;
}

Result<Answer, std::string> Client::listen(const std::string& target, const std::function<bool(std::string_view)>& on_line) {
  auto failure = [&](const error_code& error) {
    impl_.reset();
    return Unexpected(explain(socket_, url_, error));
  };
  if (auto error = connect()) return Unexpected(*error);
  http::request<http::empty_body> request{http::verb::get, target, 11};
  request.set(http::field::host, "heliograph");
  if (!token_.empty()) request.set(http::field::authorization, "Bearer " + token_);
  if (error_code error = impl_->wait([&](auto done) { http::async_write(impl_->stream, request, done); })) return failure(error);
  http::response_parser<http::buffer_body> parser;
  parser.body_limit(boost::none);
  if (error_code error = impl_->wait([&](auto done) { http::async_read_header(impl_->stream, impl_->buffer, parser, done); })) return failure(error);
  Answer answer{parser.get().result_int(), {}};
  std::string rest;
  std::vector<char> room(64 << 10);
  bool goes_on = true;
  while (goes_on && !parser.is_done()) {
    parser.get().body().data = room.data();
    parser.get().body().size = room.size();
    error_code error = impl_->wait([&](auto done) {
      if (answer.status == 200) impl_->stream.expires_never();
      http::async_read_some(impl_->stream, impl_->buffer, parser, done);
    });
    if (error == http::error::need_buffer) error = {};
    if (error) return failure(error);
    rest.append(room.data(), room.size() - parser.get().body().size);
    if (answer.status != 200) continue;
    std::size_t begin = 0;
    for (std::size_t end; goes_on && (end = rest.find('\n', begin)) != std::string::npos; begin = end + 1)
      goes_on = on_line(std::string_view(rest).substr(begin, end - begin));
    rest.erase(0, begin);
  }
  if (answer.status != 200) answer.body = std::move(rest);
  impl_.reset();
  return answer;
}

Result<Answer, std::string> Client::ask(std::string_view method, const std::string& target, const std::string& body) {
  auto failure = [&](const error_code& error) {
    impl_.reset();
    return Unexpected(explain(socket_, url_, error));
  };
  if (auto error = connect()) return Unexpected(*error);
  http::request<http::string_body> request;
  request.method_string({method.data(), method.size()});
  request.target(target);
  request.version(11);
  request.set(http::field::host, "heliograph");
  if (!token_.empty()) request.set(http::field::authorization, "Bearer " + token_);
  if (!body.empty()) request.set(http::field::content_type, "application/json");
  request.body() = body;
  request.prepare_payload();
  if (error_code error = impl_->wait([&](auto done) { http::async_write(impl_->stream, request, done); })) return failure(error);
  http::response_parser<http::string_body> parser;
  parser.body_limit(kMaxAnswerBytes);
  if (error_code error = impl_->wait([&](auto done) { http::async_read(impl_->stream, impl_->buffer, parser, done); }))
    return failure(error);
  auto cursor = parser.get()["heliograph-cursor"];
  Answer answer{parser.get().result_int(), {}, {cursor.data(), cursor.size()}};
  answer.body = std::move(parser.get().body());
  if (!parser.keep_alive()) impl_.reset();
  return answer;
}

std::string percent_encode(std::string_view text) {
  std::string out;
  for (unsigned char c : text) {
    bool plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' || c == '.' ||
                 c == '_' || c == '~' || c == ':';
    if (plain) {
      out += static_cast<char>(c);
    } else {
      out += fmt::format("%{:02X}", c);
    }
  }
  return out;
}

}  // namespace helio::ctl
