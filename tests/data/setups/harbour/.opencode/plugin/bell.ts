export const Bell = async () => ({})
