Gem::Specification.new do |spec|
  spec.name = "openstackoid-oaktree"
  spec.version = "0.1.0"
  spec.summary = "Client of oaktree: one gRPC API for all clouds"
  spec.authors = ["The OpenStackoid authors"]
  spec.license = "Apache-2.0"
  spec.required_ruby_version = ">= 3.0"
  spec.files = Dir["lib/**/*.rb", "README.md", "LICENSE"]
  # The code is made by protoc 3.21, and runs with that version of protobuf and newer ones.
  spec.add_runtime_dependency "google-protobuf", ">= 3.21"
  spec.add_runtime_dependency "googleapis-common-protos-types", ">= 1.4"
  spec.add_runtime_dependency "grpc", ">= 1.51"
end
