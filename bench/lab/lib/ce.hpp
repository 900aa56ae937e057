// A CE of the laboratory: a router with its customer's prefixes, static default routes or eBGP towards its PEs.
#pragma once
#include "bench/lab/lib/pe.hpp"

namespace helio::lab {

class Ce : public SessionEnd::User {
 public:
  struct Uplink {
    InterfaceId port = 0;
    LinkAddresses addresses;
    bool is_default = true;
    std::vector<Prefix> prefixes;  // told to the PE
    std::unique_ptr<SessionEnd> session;
    std::map<PathKey, Path> learned;
    std::map<Prefix, Path> sent;
  };

  Ce(const CeSpec& spec, Router& router) : spec_(spec), router_(router) {}

  Uplink& add_uplink(InterfaceId port, const LinkAddresses& addresses, const AttachmentSpec& attachment, Asn pe_as);
  void set_prefixes(std::size_t uplink, std::vector<Prefix> prefixes);
  const std::vector<std::unique_ptr<Uplink>>& uplinks() const { return uplinks_; }
  void mark_changed() { is_changed_ = true; }
  bool turn();
  const Wishes& wishes() const { return wishes_; }

  void on_established(SessionEnd&, const session::Negotiated&) override { is_changed_ = true; }
  std::optional<wire::Notification> on_update(SessionEnd& end, Bytes body) override;
  void on_closed(SessionEnd& end) override;

 private:
  void send(Uplink& uplink);

  CeSpec spec_;
  Router& router_;
  std::vector<std::unique_ptr<Uplink>> uplinks_;
  Wishes wishes_;
  bool is_changed_ = true;
};

}  // namespace helio::lab
