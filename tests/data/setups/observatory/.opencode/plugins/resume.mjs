export const Resume = async () => ({})
