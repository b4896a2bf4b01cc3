// What a cloud's hypervisors have, by the cloud's own API: rest HOST:PORT CLOUD REGION

#include <iostream>

#include "oaktree/rest.h"

int main(int, char** arguments) {
  auto channel = grpc::CreateChannel(arguments[1], grpc::InsecureChannelCredentials());
  oaktree::v1::Location place;
  place.set_cloud(arguments[2]);
  place.set_region(arguments[3]);
  std::cout << oaktree::Rest(channel, place, "compute").Get("os-hypervisors/statistics").body << "\n";
}
