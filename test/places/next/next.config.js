export default { serverExternalPackages: ["heddle"] };
