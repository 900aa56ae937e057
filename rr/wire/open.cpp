#include "rr/wire/open.hpp"

#include <algorithm>

#include "rr/base/check.hpp"

namespace helio::wire {
namespace {

constexpr std::uint8_t kVersion = 4;
constexpr std::uint8_t kCapabilitiesParameter = 2;
constexpr std::uint8_t kExtendedParameters = 255;

// Subcodes of RFC 4271 §6.2.
constexpr std::uint8_t kUnspecific = 0, kUnsupportedVersion = 1, kBadPeerAs = 2, kBadIdentifier = 3, kUnsupportedParameter = 4,
                       kUnacceptableHoldTime = 6, kRoleMismatch = 11;

Notification open_error(std::uint8_t subcode, std::vector<std::uint8_t> data = {}) {
  return {static_cast<std::uint8_t>(ErrorCode::open_message), subcode, std::move(data)};
}

AfiSafi read_afi_safi(ByteReader& reader) {
  AfiSafi family;
  family.afi = reader.u16();
  family.safi = reader.u8();
  return family;
}

void write_afi_safi(ByteWriter& writer, AfiSafi family) {
  writer.u16(family.afi);
  writer.u8(family.safi);
}

template <class T>
void add_once(std::vector<T>& list, const T& value) {
  if (std::find(list.begin(), list.end(), value) == list.end()) list.push_back(value);
}

std::string to_text(Bytes bytes) { return std::string(bytes.begin(), bytes.end()); }

// The decode_* below return false for a length that the capability cannot have.
bool decode_multiprotocol(Bytes value, Capabilities& out) {
  if (value.size() != 4) return false;
  add_once(out.multiprotocol, AfiSafi{load_be16(value.data()), value[3]});
  return true;
}

bool decode_extended_next_hop(Bytes value, Capabilities& out) {
  if (value.size() % 6 != 0) return false;
  for (ByteReader reader(value); !reader.empty();) {
    std::uint16_t afi = reader.u16();
    std::uint16_t safi = reader.u16();
    std::uint16_t next_hop_afi = reader.u16();
    if (safi <= 0xff) add_once(out.extended_next_hop, ExtendedNextHop{{afi, static_cast<std::uint8_t>(safi)}, next_hop_afi});
  }
  return true;
}

// RFC 4724 §3: of several instances the last one counts.
bool decode_graceful_restart(Bytes value, Capabilities& out) {
  if (value.size() < 2 || (value.size() - 2) % 4 != 0) return false;
  ByteReader reader(value);
  std::uint16_t flags_and_time = reader.u16();
  GracefulRestart restart;
  restart.restarting = flags_and_time & 0x8000;
  restart.notification = flags_and_time & 0x4000;
  restart.restart_time = flags_and_time & 0x0fff;
  while (!reader.empty()) {
    AfiSafi family = read_afi_safi(reader);
    restart.families.push_back({family, (reader.u8() & 0x80) != 0});
  }
  out.graceful_restart = std::move(restart);
  return true;
}

bool decode_long_lived(Bytes value, Capabilities& out) {
  if (value.size() % 7 != 0) return false;
  std::vector<LongLivedGracefulRestart>& entries = out.long_lived_graceful_restart.emplace();
  for (ByteReader reader(value); !reader.empty();) {
    AfiSafi family = read_afi_safi(reader);
    bool forwarding = reader.u8() & 0x80;
    entries.push_back({family, forwarding, reader.u24()});
  }
  return true;
}

bool decode_four_octet_as(Bytes value, Capabilities& out) {
  if (value.size() != 4) return false;
  out.four_octet_as = load_be32(value.data());
  return true;
}

// RFC 7911 §4: an entry with another Send/Receive value than 1..3 is ignored, of repeated families the first counts.
bool decode_add_path(Bytes value, Capabilities& out) {
  if (value.size() % 4 != 0) return false;
  for (ByteReader reader(value); !reader.empty();) {
    AfiSafi family = read_afi_safi(reader);
    std::uint8_t mode = reader.u8();
    bool repeated = std::any_of(out.add_path.begin(), out.add_path.end(), [&](const AddPath& a) { return a.family == family; });
    if (mode >= 1 && mode <= 3 && !repeated) out.add_path.push_back({family, (mode & 1) != 0, (mode & 2) != 0});
  }
  return true;
}

void decode_fqdn(Bytes value, Capabilities& out) {
  ByteReader reader(value);
  Bytes hostname = reader.take(reader.u8());
  Bytes domain = reader.take(reader.u8());
  if (reader.ok()) out.fqdn = Fqdn{to_text(hostname), to_text(domain)};
}

// The value is a length octet and text.
void decode_software_version(Bytes value, Capabilities& out) {
  ByteReader reader(value);
  Bytes text = reader.take(reader.u8());
  if (reader.ok()) out.software_version = to_text(text);
}

std::optional<Notification> decode_capability(std::uint8_t code, Bytes value, Capabilities& out) {
  bool fits = true;
  switch (code) {
    case capability::multiprotocol: fits = decode_multiprotocol(value, out); break;
    case capability::route_refresh: out.route_refresh = true; break;
    case capability::extended_next_hop: fits = decode_extended_next_hop(value, out); break;
    case capability::extended_message: out.extended_message = true; break;
    case capability::graceful_restart: fits = decode_graceful_restart(value, out); break;
    case capability::four_octet_as: fits = decode_four_octet_as(value, out); break;
    case capability::add_path: fits = decode_add_path(value, out); break;
    case capability::enhanced_route_refresh: out.enhanced_route_refresh = true; break;
    case capability::long_lived_graceful_restart: fits = decode_long_lived(value, out); break;
    case capability::fqdn: decode_fqdn(value, out); break;
    case capability::software_version: decode_software_version(value, out); break;
    case capability::role:
      fits = value.size() == 1;
      // RFC 9234 §4.2: several instances must agree.
      if (fits && out.role && *out.role != value[0]) return open_error(kRoleMismatch);
      if (fits) out.role = value[0];
      break;
    default: add_once(out.unknown, UnknownCapability{code, {value.begin(), value.end()}});
  }
  if (!fits) return open_error(kUnspecific);
  return std::nullopt;
}

std::optional<Notification> decode_capabilities(Bytes parameter, Capabilities& out) {
  for (ByteReader reader(parameter); !reader.empty();) {
    std::uint8_t code = reader.u8();
    Bytes value = reader.take(reader.u8());
    if (!reader.ok()) return open_error(kUnspecific);
    if (auto error = decode_capability(code, value, out)) return error;
  }
  return std::nullopt;
}

std::optional<Notification> decode_parameters(Bytes parameters, bool extended, Capabilities& out) {
  for (ByteReader reader(parameters); !reader.empty();) {
    std::uint8_t type = reader.u8();
    Bytes value = reader.take(extended ? reader.u16() : reader.u8());
    if (!reader.ok()) return open_error(kUnspecific);
    if (type != kCapabilitiesParameter) return open_error(kUnsupportedParameter);
    if (auto error = decode_capabilities(value, out)) return error;
  }
  return std::nullopt;
}

// Writes capabilities one after the other; each value is written by a callable and must stay within 255 octets.
class CapabilityWriter {
 public:
  explicit CapabilityWriter(std::vector<std::uint8_t>& out) : out_(out), writer_(out) {}
  template <class Fill>
  void add(std::uint8_t code, Fill fill) {
    writer_.u8(code);
    std::size_t length_at = out_.size();
    writer_.u8(0);
    fill(writer_);
    std::size_t length = out_.size() - length_at - 1;
    HELIO_CHECK(length <= 255, "capability length");
    writer_.patch_u8(length_at, static_cast<std::uint8_t>(length));
  }
  void add(std::uint8_t code) {
    add(code, [](ByteWriter&) {});
  }

 private:
  std::vector<std::uint8_t>& out_;
  ByteWriter writer_;
};

void write_graceful_restart(ByteWriter& writer, const GracefulRestart& restart) {
  unsigned flags = (restart.restarting ? 0x8000u : 0u) | (restart.notification ? 0x4000u : 0u);
  writer.u16(static_cast<std::uint16_t>(flags | std::min<unsigned>(restart.restart_time, 0x0fff)));
  for (const auto& entry : restart.families) {
    write_afi_safi(writer, entry.family);
    writer.u8(entry.forwarding_preserved ? 0x80 : 0);
  }
}

// A list in parts that fit one capability each.
template <class T>
std::vector<std::span<const T>> parts(const std::vector<T>& list, std::size_t size) {
  std::vector<std::span<const T>> out;
  for (std::size_t at = 0; at < list.size(); at += size) out.push_back(std::span(list).subspan(at, std::min(size, list.size() - at)));
  return out;
}

std::vector<std::uint8_t> encode_capabilities(const Capabilities& c, bool informational) {
  std::vector<std::uint8_t> out;
  CapabilityWriter writer(out);
  for (AfiSafi family : c.multiprotocol)
    writer.add(capability::multiprotocol, [&](ByteWriter& w) {
      w.u16(family.afi);
      w.u8(0);
      w.u8(family.safi);
    });
  if (c.route_refresh) writer.add(capability::route_refresh);
  for (auto entries : parts(c.extended_next_hop, 255 / 6))
    writer.add(capability::extended_next_hop, [&](ByteWriter& w) {
      for (const ExtendedNextHop& entry : entries) {
        w.u16(entry.family.afi);
        w.u16(entry.family.safi);
        w.u16(entry.next_hop_afi);
      }
    });
  if (c.extended_message) writer.add(capability::extended_message);
  if (c.role) writer.add(capability::role, [&](ByteWriter& w) { w.u8(*c.role); });
  if (c.graceful_restart) writer.add(capability::graceful_restart, [&](ByteWriter& w) { write_graceful_restart(w, *c.graceful_restart); });
  if (c.four_octet_as) writer.add(capability::four_octet_as, [&](ByteWriter& w) { w.u32(*c.four_octet_as); });
  for (auto entries : parts(c.add_path, 255 / 4))
    writer.add(capability::add_path, [&](ByteWriter& w) {
      for (const AddPath& entry : entries) {
        write_afi_safi(w, entry.family);
        w.u8(static_cast<std::uint8_t>((entry.receive ? 1 : 0) | (entry.send ? 2 : 0)));
      }
    });
  if (c.enhanced_route_refresh) writer.add(capability::enhanced_route_refresh);
  if (c.long_lived_graceful_restart)
    writer.add(capability::long_lived_graceful_restart, [&](ByteWriter& w) {
      for (const LongLivedGracefulRestart& entry : *c.long_lived_graceful_restart) {
        write_afi_safi(w, entry.family);
        w.u8(entry.forwarding_preserved ? 0x80 : 0);
        w.u24(std::min(entry.stale_time, 0xffffffu));
      }
    });
  for (const UnknownCapability& entry : c.unknown) writer.add(entry.code, [&](ByteWriter& w) { w.bytes(entry.value); });
  if (!informational) return out;
  if (c.fqdn) {
    std::string_view hostname = std::string_view(c.fqdn->hostname).substr(0, 253);
    std::string_view domain = std::string_view(c.fqdn->domain).substr(0, 253 - hostname.size());
    writer.add(capability::fqdn, [&](ByteWriter& w) {
      w.u8(static_cast<std::uint8_t>(hostname.size()));
      w.text(hostname);
      w.u8(static_cast<std::uint8_t>(domain.size()));
      w.text(domain);
    });
  }
  if (!c.software_version.empty()) {
    std::string_view version = std::string_view(c.software_version).substr(0, 254);
    writer.add(capability::software_version, [&](ByteWriter& w) {
      w.u8(static_cast<std::uint8_t>(version.size()));
      w.text(version);
    });
  }
  return out;
}

}  // namespace

Result<OpenMessage, Notification> decode_open(Bytes body) {
  if (body.empty()) return Unexpected(open_error(kUnspecific));
  // RFC 4271 §6.2: the data is the largest version supported that is not above the one bid.
  if (body[0] != kVersion) return Unexpected(open_error(kUnsupportedVersion, {0, kVersion}));
  ByteReader reader(body.subspan(1));
  OpenMessage open;
  open.my_as = reader.u16();
  open.hold_time = reader.u16();
  open.bgp_identifier = reader.u32();
  std::size_t length = reader.u8();
  if (!reader.ok()) return Unexpected(open_error(kUnspecific));
  Bytes parameters = reader.rest();
  // RFC 9072 §2: the type octet 255 in front says that lengths have two octets; the old length is then any but 0.
  if (length != 0 && !parameters.empty() && parameters[0] == kExtendedParameters) {
    ByteReader extended(parameters.subspan(1));
    length = extended.u16();
    if (!extended.ok()) return Unexpected(open_error(kUnspecific));
    parameters = extended.rest();
    open.extended_parameters = true;
  }
  if (length != parameters.size()) return Unexpected(open_error(kUnspecific));
  if (auto error = decode_parameters(parameters, open.extended_parameters, open.capabilities)) return Unexpected(std::move(*error));

  if (open.as() == 0 || open.my_as == 0) return Unexpected(open_error(kBadPeerAs));                     // RFC 7607 §2
  if (open.hold_time == 1 || open.hold_time == 2) return Unexpected(open_error(kUnacceptableHoldTime));  // RFC 4271 §6.2
  if (open.bgp_identifier == 0) return Unexpected(open_error(kBadIdentifier));                           // RFC 6286 §2.1
  return open;
}

void encode_open(std::vector<std::uint8_t>& out, const OpenMessage& open) {
  constexpr std::size_t kParameterHeader = 2;
  std::vector<std::uint8_t> capabilities = encode_capabilities(open.capabilities, true);
  bool fits = capabilities.size() + kParameterHeader <= 255;
  if (!fits && !open.extended_parameters) {
    capabilities = encode_capabilities(open.capabilities, false);
    fits = capabilities.size() + kParameterHeader <= 255;
  }
  std::size_t start = begin_message(out, MessageType::open);
  ByteWriter writer(out);
  writer.u8(kVersion);
  writer.u16(open.my_as);
  writer.u16(open.hold_time);
  writer.u32(open.bgp_identifier);
  if (capabilities.empty()) {
    writer.u8(0);
  } else if (fits) {
    writer.u8(static_cast<std::uint8_t>(capabilities.size() + kParameterHeader));
    writer.u8(kCapabilitiesParameter);
    writer.u8(static_cast<std::uint8_t>(capabilities.size()));
  } else {
    writer.u8(kExtendedParameters);
    writer.u8(kExtendedParameters);
    writer.u16(static_cast<std::uint16_t>(capabilities.size() + 3));
    writer.u8(kCapabilitiesParameter);
    writer.u16(static_cast<std::uint16_t>(capabilities.size()));
  }
  writer.bytes(capabilities);
  end_message(out, start);
}

std::string_view capability_name(std::uint8_t code) {
  switch (code) {
    case capability::multiprotocol: return "multiprotocol";
    case capability::route_refresh: return "route-refresh";
    case capability::extended_next_hop: return "extended-next-hop";
    case capability::extended_message: return "extended-message";
    case capability::role: return "role";
    case capability::graceful_restart: return "graceful-restart";
    case capability::four_octet_as: return "four-octet-as";
    case capability::add_path: return "add-path";
    case capability::enhanced_route_refresh: return "enhanced-route-refresh";
    case capability::long_lived_graceful_restart: return "long-lived-graceful-restart";
    case capability::fqdn: return "fqdn";
    case capability::software_version: return "software-version";
    default: return "unknown";
  }
}

}  // namespace helio::wire
