#include <cstdlib>
#include <exception>
#include <iostream>

#include "oaktree/rest.h"

int main(int count, char** arguments) {
  oaktree::v1::Location place;
  place.set_cloud("one");
  oaktree::Rest compute(grpc::CreateChannel(arguments[1], grpc::InsecureChannelCredentials()), place, "compute",
                        {{"x-oaktree-token", std::getenv("OAKTREE_TOKEN")}});
  for (int i = 2; i < count; i += 2) {
    try {
      std::cout << compute.Send(arguments[i], arguments[i + 1], "", {{"X-Mine", "kept"}, {"Cookie", "mine"}}).status << "\n";
    } catch (const std::exception& error) {
      std::cout << "error: " << error.what() << "\n";
    }
  }
}
